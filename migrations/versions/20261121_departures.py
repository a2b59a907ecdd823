"""A role that marks as leaving the bots whose leases it can name, of whatever tenant.

A thousand bots that leave at one instant may be a thousand tenants', and are marked in one
statement. What a bot says lies beside its row, and room is left in the pages: so a mark rewrites
little and touches no index. Old code survives it.
"""

from alembic import context, op

revision = "20261121_departures"
down_revision = "20261121_series"
branch_labels = None
depends_on = None

ROLE = "meetbot_holder"
LEASES = "string_to_array(nullif(current_setting('app.scope', true), ''), ' ')"


def upgrade() -> None:
    op.execute(
        f"do $$ begin create role {ROLE} nologin;"
        " exception when duplicate_object or unique_violation then null; end $$"
    )
    _let_log_in()
    op.execute(f"grant usage on schema public to {ROLE}")
    seen = "id, status, generation, attempts, end_at, due_at, lease_id, lease_until, updated_at"
    written = "status, attempts, lease_until, updated_at"
    op.execute(f"create policy holder on bots to {ROLE} using (lease_id = any((select {LEASES})::text[]))")
    op.execute(f"grant select ({seen}), update ({written}) on bots to {ROLE}")
    op.execute("alter table bots alter column content set storage external")
    op.execute("alter table bots set (fillfactor = 70, toast_tuple_target = 256)")


def _let_log_in() -> None:
    """Let the application's login take the role, without having it of itself."""
    login = context.config.attributes["login"].replace('"', '""')
    modern = op.get_bind().dialect.server_version_info >= (16,)
    how = " with inherit false, set true" if modern else ""
    literal = login.replace("'", "''")
    op.execute(
        f"do $$ begin if not pg_has_role('{literal}', '{ROLE}', 'MEMBER')"
        f" then grant {ROLE} to \"{login}\"{how}; end if; end $$"
    )


def downgrade() -> None:
    op.execute("alter table bots reset (fillfactor, toast_tuple_target)")
    op.execute("alter table bots alter column content set storage extended")
    op.execute("drop policy if exists holder on bots")
    op.execute(f"revoke all on bots from {ROLE}")
    op.execute(f"revoke usage on schema public from {ROLE}")
