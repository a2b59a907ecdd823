"""What bots used is kept when the bots themselves are not: retention took it from the bills.

Safe beside old code, which only does not fill the table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "20261128_past_bots"
down_revision = "20261128_deliveries"
branch_labels = None
depends_on = None

SCOPE = "nullif(current_setting('app.scope', true), '')"


def upgrade() -> None:
    op.create_table(
        "past_bots",
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False, comment="the bot's"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("join_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_seconds", sa.Float),
        sa.Column(
            "user_ids",
            ARRAY(sa.Text),
            nullable=False,
            comment="whom it served, but for the erased",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_past_bots")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], op.f("fk_past_bots_tenant_id"), ondelete="CASCADE"
        ),
    )
    op.create_index(
        op.f("ix_past_bots_tenant_id_join_at"), "past_bots", ["tenant_id", "join_at"]
    )
    op.execute("alter table past_bots enable row level security")
    op.execute("alter table past_bots force row level security")
    op.execute(
        "create policy wall on past_bots to meetbot_tenant"
        f" using (tenant_id = {SCOPE}) with check (tenant_id = {SCOPE})"
    )
    op.execute("grant select, insert, update on past_bots to meetbot_tenant")


def downgrade() -> None:
    op.drop_table("past_bots")
