"""Series: what a person said of a whole one, which are followed; and each tenant's nightly rounds.

Safe beside old code, which knows neither the tables nor the columns: those have defaults, of which
the new code makes a first round at once.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261121_series"
down_revision = "20261121_turns"
branch_labels = None
depends_on = None

SCOPE = "nullif(current_setting('app.scope', true), '')"
LONG_AGO = "'2000-01-01 00:00:00+00'"
ROUNDS = ("nightly_due_at", "renewal_due_at")


def upgrade() -> None:
    op.create_table(
        "series",
        *_whose(),
        sa.Column("platform_id", sa.Text, nullable=False),
        sa.Column("follows", sa.Boolean, nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True)),
        sa.Column("content", sa.LargeBinary, nullable=False, comment="sealed SeriesContent"),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("series"),
        sa.UniqueConstraint(
            "calendar_id", "platform_id", name=op.f("uq_series_calendar_id_platform_id")
        ),
    )
    op.create_index(
        op.f("ix_series_due_at"), "series", ["due_at"], postgresql_where="due_at is not null"
    )
    op.create_index(op.f("ix_series_user_id"), "series", ["user_id"])
    op.create_table(
        "series_overrides",
        *_whose(),
        sa.Column("series_id", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("first_slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_slot", sa.DateTime(timezone=True)),
        sa.Column("content", sa.LargeBinary, nullable=False, comment="sealed bot_config"),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("series_overrides"),
        sa.CheckConstraint(
            "action in ('record', 'skip')", name=op.f("ck_series_overrides_action")
        ),
    )
    op.create_index(
        op.f("ix_series_overrides_calendar_id_series_id"),
        "series_overrides",
        ["calendar_id", "series_id"],
    )
    op.create_index(op.f("ix_series_overrides_user_id"), "series_overrides", ["user_id"])
    for table in ("series", "series_overrides"):
        _wall(table)
    op.execute("create policy sweep on series for select to meetbot_sweep using (true)")
    op.execute("grant select (tenant_id, id, due_at) on series to meetbot_sweep")
    for column in ROUNDS:
        due = sa.Column(
            column,
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text(LONG_AGO),
        )
        op.add_column("tenants", due)
        op.create_index(op.f(f"ix_tenants_{column}"), "tenants", [column])
        op.execute(f"grant select ({column}) on tenants to meetbot_sweep")


def _whose() -> tuple[sa.Column[str], ...]:
    names = ("id", "tenant_id", "user_id", "calendar_id")
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def _keys(table: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], op.f(f"fk_{table}_tenant_id"), ondelete="CASCADE"
        ),
        *(
            sa.ForeignKeyConstraint(
                ["tenant_id", column],
                [f"{target}.tenant_id", f"{target}.id"],
                op.f(f"fk_{table}_tenant_id_{column}"),
                ondelete="CASCADE",
            )
            for column, target in (("user_id", "calendar_users"), ("calendar_id", "calendars"))
        ),
    )


def _wall(table: str) -> None:
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy wall on {table} to meetbot_tenant"
        f" using (tenant_id = {SCOPE}) with check (tenant_id = {SCOPE})"
    )
    op.execute(f"grant select, insert, update, delete on {table} to meetbot_tenant")


def downgrade() -> None:
    op.drop_table("series_overrides")
    op.drop_table("series")
    for column in ROUNDS:
        op.drop_column("tenants", column)
