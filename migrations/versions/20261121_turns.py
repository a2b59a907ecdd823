"""Calendars know that they are urgent, held back by their provider, or out of our sight.

Old code survives it: every new column has a default, and none of them is asked of it. Adding a
column with a constant default rewrites nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261121_turns"
down_revision = "20261121_keys"
branch_labels = None
depends_on = None

_NEW = "is_urgent, held_until"


def upgrade() -> None:
    no = sa.text("false")
    op.add_column("calendars", sa.Column("is_urgent", sa.Boolean, nullable=False, server_default=no))
    op.add_column("calendars", sa.Column("held_until", sa.DateTime(timezone=True)))
    op.add_column(
        "calendars", sa.Column("out_of_sight", sa.Boolean, nullable=False, server_default=no)
    )
    op.execute(f"grant select ({_NEW}) on calendars to meetbot_sweep")
    op.create_index(
        "ix_calendars_is_urgent_due_at",
        "calendars",
        ["is_urgent", "due_at"],
        postgresql_where=sa.text("is_urgent and due_at is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_calendars_is_urgent_due_at", "calendars")
    for column in ("out_of_sight", "held_until", "is_urgent"):
        op.drop_column("calendars", column)
