"""A tenant key for each purpose, rotations to resume, and what API and worker ask and say.

What was wrapped so far lies under the tenant's one key, which becomes that of its content; old
code survives this: it goes on wrapping there, and the defaults say so.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261121_tenant_keys"
down_revision = "20261121_listings"
branch_labels = None
depends_on = None

SCOPE = "nullif(current_setting('app.scope', true), '')"
PURPOSE = "purpose in ('content', 'grant')"
COUNTS = ("last_created", "last_updated", "last_deleted")


def upgrade() -> None:
    op.add_column(
        "data_keys",
        sa.Column("under", sa.Text, nullable=False, server_default=sa.text("'content'")),
    )
    op.add_column(
        "data_keys",
        sa.Column("passing", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    op.create_check_constraint(
        op.f("ck_data_keys_under"), "data_keys", "under in ('content', 'grant')"
    )
    _rotations()
    _errands()
    op.add_column(
        "calendars",
        sa.Column("answered_ring", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    for name in COUNTS:
        op.add_column(
            "calendars", sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))
        )


def _rotations() -> None:
    op.create_table(
        "key_rotations",
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("from_version", sa.Integer, comment="of the tenant key; null: not looked at yet"),
        sa.Column("from_number", sa.Integer, comment="of the newest standing data key then"),
        sa.Column("floor", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(PURPOSE, name=op.f("ck_key_rotations_purpose")),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
            name=op.f("fk_key_rotations_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "purpose", name=op.f("pk_key_rotations")),
    )
    _wall("key_rotations", "select, update")
    op.execute("create policy operator on key_rotations to meetbot_operator using (true)")
    op.execute("grant select, insert, update on key_rotations to meetbot_operator")


def _errands() -> None:
    op.create_table(
        "errands",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("question", sa.LargeBinary, nullable=False, comment="sealed Question"),
        sa.Column("answer", sa.LargeBinary, comment="sealed Answer; null: not done yet"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_errands_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errands")),
    )
    op.create_index(op.f("ix_errands_due_at"), "errands", ["due_at"])
    _wall("errands", "select, insert, update, delete")
    op.execute("create policy sweep on errands for select to meetbot_sweep using (true)")
    op.execute("grant select (tenant_id, id, due_at) on errands to meetbot_sweep")


def _wall(table: str, rights: str) -> None:
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy wall on {table} to meetbot_tenant"
        f" using (tenant_id = {SCOPE}) with check (tenant_id = {SCOPE})"
    )
    op.execute(f"grant {rights} on {table} to meetbot_tenant")


def downgrade() -> None:
    for name in ("answered_ring", *COUNTS):
        op.drop_column("calendars", name)
    op.drop_table("errands")
    op.drop_table("key_rotations")
    op.drop_constraint(op.f("ck_data_keys_under"), "data_keys")
    for name in ("passing", "under"):
        op.drop_column("data_keys", name)
