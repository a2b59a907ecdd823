"""Sessions of the admin page.

Safe beside old code: it does not know the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261121_admin_sessions"
down_revision = "20261121_leaving"
branch_labels = None
depends_on = None

SCOPE = "nullif(current_setting('app.scope', true), '')"


def upgrade() -> None:
    op.create_unique_constraint("uq_api_keys_tenant_id_id", "api_keys", ["tenant_id", "id"])
    op.create_table(
        "admin_sessions",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("api_key_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_admin_sessions")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], op.f("fk_admin_sessions_tenant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "api_key_id"],
            ["api_keys.tenant_id", "api_keys.id"],
            op.f("fk_admin_sessions_tenant_id_api_key_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_admin_sessions_api_key_id"), "admin_sessions", ["api_key_id"])
    op.create_index(op.f("ix_admin_sessions_expires_at"), "admin_sessions", ["expires_at"])
    op.execute("alter table admin_sessions enable row level security")
    op.execute("alter table admin_sessions force row level security")
    op.execute(
        "create policy wall on admin_sessions to meetbot_tenant"
        f" using (tenant_id = {SCOPE}) with check (tenant_id = {SCOPE})"
    )
    op.execute("grant select, insert, delete on admin_sessions to meetbot_tenant")
    op.execute("create policy sweep on admin_sessions for select to meetbot_sweep using (true)")
    op.execute("grant select (tenant_id, expires_at) on admin_sessions to meetbot_sweep")
    op.execute(
        "create policy gate on admin_sessions for select to meetbot_gate"
        f" using (token_hash = decode({SCOPE}, 'hex'))"
    )
    op.execute("grant select (tenant_id, token_hash) on admin_sessions to meetbot_gate")


def downgrade() -> None:
    op.drop_table("admin_sessions")
    op.drop_constraint("uq_api_keys_tenant_id_id", "api_keys")
