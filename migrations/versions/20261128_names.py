"""What people, accounts and calendars are called is sealed, and found by hashes under a secret.

Whoever stole a dump read whose accounts were connected and where webhooks went, and could try which
meeting a digest named.
What the rows say in clear cannot be sealed from here, where no key is at hand: each tenant is
marked, and whoever first opens a session of it seals its rows, in one transaction. Old code does
not survive it, for it compares names in clear; so stop it, migrate, and start anew. There is no
way back once a tenant was opened: the names are nowhere in clear then.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_names"
down_revision = "20261128_shared_watches"
branch_labels = None
depends_on = None

_FOUND = "named, not told: see about"
_CLEAR = "only where names are in clear"
_CLEAR_ONE = "only where it is in clear"
_SEALED = {
    "calendar_users": ("customer_user_id", "sealed, the tenant's id; null: it is in clear"),
    "connections": ("account_id", "sealed AccountContent; null: names are in clear"),
    "calendars": ("platform_id", "sealed CalendarContent; null: names are in clear"),
    "webhook_endpoints": (None, "sealed EndpointContent; null: it is in clear"),
}
_ONLY_OLD = (
    ("connections", "name", True, _CLEAR),
    ("calendars", "name", False, _CLEAR),
    ("webhook_endpoints", "url", False, _CLEAR_ONE),
    ("webhook_endpoints", "description", True, _CLEAR_ONE),
)


def upgrade() -> None:
    in_clear = sa.Column("names_in_clear", sa.Boolean, nullable=False, server_default=sa.true())
    op.add_column("tenants", in_clear)  # true for every tenant that is there
    op.alter_column("tenants", "names_in_clear", server_default=sa.text("false"))
    for table, (found, comment) in _SEALED.items():
        op.add_column(table, sa.Column("about", sa.LargeBinary, comment=comment))
        if found is not None:
            op.alter_column(table, found, comment=_FOUND)
    for table, column, _, comment in _ONLY_OLD:
        op.alter_column(table, column, nullable=True, comment=comment)


def downgrade() -> None:
    sealed = " union all ".join(f"select 1 from {t} where about is not null" for t in _SEALED)
    for table in _SEALED:
        op.execute(f"alter table {table} no force row level security")
    op.execute(
        f"do $$ begin if exists ({sealed}) then"
        " raise exception 'names are sealed already: restore a backup'; end if; end $$"
    )
    for table, column, nullable, _ in _ONLY_OLD:
        op.alter_column(table, column, nullable=nullable, comment=None)
    for table, (found, _) in _SEALED.items():
        op.execute(f"alter table {table} force row level security")
        if found is not None:
            op.alter_column(table, found, comment=None)
        op.drop_column(table, "about")
    op.drop_column("tenants", "names_in_clear")
