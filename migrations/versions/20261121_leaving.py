"""Who leaves, leaves in steps: a tenant that is closing, a person who is erased.

At once no key, consent or watch of a closing tenant opens the gate; its rows stay until its bots
are called back and its grants given back. Old code survives it: the new columns may be null.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261121_leaving"
down_revision = "20261121_references"
branch_labels = None
depends_on = None

SCOPE = "nullif(current_setting('app.scope', true), '')"
GATED = {
    "api_keys": "key_hash",
    "oauth_states": "state_hash",
    "watches": "token_hash",
}


def upgrade() -> None:
    op.add_column("tenants", sa.Column("closing_at", sa.DateTime(timezone=True)))
    op.add_column("tenants", sa.Column("closing_due_at", sa.DateTime(timezone=True)))
    op.add_column("calendar_users", sa.Column("erased_at", sa.DateTime(timezone=True)))
    op.execute("grant select (closing_due_at) on tenants to meetbot_sweep")
    op.execute(
        "create policy gate on tenants for select to meetbot_gate using (closing_at is not null)"
    )
    op.execute("grant select (id, closing_at) on tenants to meetbot_gate")
    for table, column in GATED.items():
        _gate(
            table,
            f"{column} = decode({SCOPE}, 'hex') and not exists (select 1 from tenants"
            f" where tenants.id = {table}.tenant_id and tenants.closing_at is not null)",
        )


def _gate(table: str, using: str) -> None:
    op.execute(f"alter policy gate on {table} using ({using})")


def downgrade() -> None:
    for table, column in GATED.items():
        _gate(table, f"{column} = decode({SCOPE}, 'hex')")
    op.execute("drop policy gate on tenants")
    op.execute("revoke select (id, closing_at) on tenants from meetbot_gate")
    op.drop_column("calendar_users", "erased_at")
    op.drop_column("tenants", "closing_due_at")
    op.drop_column("tenants", "closing_at")
