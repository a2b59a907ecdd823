"""What a tenant keeps no longer is purged; the audit log through a door that opens to nothing else.

The purger's role sees of the audit log only what lies before the instant in its scope, and may do
nothing but delete it. Old code survives it: it does not know the columns. The indexes are built
beside the work that goes on.
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "20261121_retention"
down_revision = "20261121_departures"
branch_labels = None
depends_on = None

ROLE = "meetbot_purge"
SCOPE = "nullif(current_setting('app.scope', true), '')"
GATE = "token_hash = decode({scope}, 'hex')"
INDEXES = {"events": ["tenant_id", "end_at"], "messages": ["tenant_id", "created_at"]}


def upgrade() -> None:
    op.add_column("tenants", sa.Column("purge_due_at", sa.DateTime(timezone=True)))
    op.add_column("tenants", sa.Column("last_purged_at", sa.DateTime(timezone=True)))
    op.add_column("tenants", sa.Column("last_purge", postgresql.JSONB(), comment="how many rows went, by kind"))
    op.execute("grant select (purge_due_at, closing_at) on tenants to meetbot_sweep")
    _make_role()
    op.execute(
        f"create policy purge on audit_log to {ROLE} using"
        f" (tenant_id = split_part({SCOPE}, ' ', 1)"
        f" and at < nullif(split_part({SCOPE}, ' ', 2), '')::timestamptz)"
    )
    op.execute(f"grant select (id, tenant_id, at), delete on audit_log to {ROLE}")
    op.execute(
        f"alter policy gate on admin_sessions using ({GATE.format(scope=SCOPE)} and not exists"
        " (select 1 from tenants where tenants.id = admin_sessions.tenant_id"
        " and tenants.closing_at is not null))"
    )
    with op.get_context().autocommit_block():
        for table, columns in INDEXES.items():
            op.create_index(
                op.f(f"ix_{table}_{'_'.join(columns)}"),
                table,
                columns,
                postgresql_concurrently=True,
                if_not_exists=True,
            )


def _make_role() -> None:
    """Make the role, and let the application's login take it without having it of itself."""
    op.execute(
        f"do $$ begin create role {ROLE} nologin;"
        " exception when duplicate_object or unique_violation then null; end $$"
    )
    login = context.config.attributes["login"].replace('"', '""')
    modern = op.get_bind().dialect.server_version_info >= (16,)
    how = " with inherit false, set true" if modern else ""
    literal = login.replace("'", "''")
    op.execute(
        f"do $$ begin if not pg_has_role('{literal}', '{ROLE}', 'MEMBER')"
        f" then grant {ROLE} to \"{login}\"{how}; end if; end $$"
    )
    op.execute(f"grant usage on schema public to {ROLE}")


def downgrade() -> None:
    for table, columns in INDEXES.items():
        op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table)
    op.execute(f"alter policy gate on admin_sessions using ({GATE.format(scope=SCOPE)})")
    op.execute("drop policy purge on audit_log")
    op.execute(f"revoke all on audit_log from {ROLE}")
    op.execute(f"revoke usage on schema public from {ROLE}")
    for column in ("last_purge", "last_purged_at", "purge_due_at"):
        op.drop_column("tenants", column)
