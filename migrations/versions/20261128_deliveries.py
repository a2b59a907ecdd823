"""Deliveries know their message's place in the order, and are found by endpoint and by bot.

To find what is due to an endpoint, every message of it was joined and every other delivery of its
bot was looked at: each claim cost as much as all that waited. Old code does not survive it, for it
does not say the place; so stop it, migrate, and start anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_deliveries"
down_revision = "20261121_tenant_keys"
branch_labels = None
depends_on = None

_WAITS = sa.text("due_at is not null")
_FOUND_BY = (["endpoint_id", "due_at", "seq"], ["endpoint_id", "bot_id"])


def _named(columns: list[str]) -> str:
    return "_".join(["ix_deliveries", *columns])


def _walls(how: str) -> None:
    for table in ("messages", "deliveries"):
        op.execute(f"alter table {table} {how} row level security")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("seq", sa.BigInteger, comment="its message's"))
    _walls("no force")  # they stop the tables' owner as well, who would find no row
    op.execute("update deliveries d set seq = m.seq from messages m where m.id = d.message_id")
    _walls("force")
    op.alter_column("deliveries", "seq", nullable=False)
    for columns in _FOUND_BY:
        op.create_index(_named(columns), "deliveries", columns, postgresql_where=_WAITS)


def downgrade() -> None:
    for columns in _FOUND_BY:
        op.drop_index(_named(columns), "deliveries")
    op.drop_column("deliveries", "seq")
