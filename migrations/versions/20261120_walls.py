"""The wall between tenants: roles that own nothing, and row-level security on every table.

Safe beside old code: there is none. Roles belong to the whole server, so they may exist already.
"""

from alembic import context, op

revision = "20261120_walls"
down_revision = "20261120_house"
branch_labels = None
depends_on = None

ROLES = ("meetbot_tenant", "meetbot_sweep", "meetbot_gate", "meetbot_operator")
OF_TENANT = (
    "data_keys", "calendar_users", "api_keys", "oauth_apps", "idempotency_keys", "audit_log",
    "oauth_states", "connections", "calendars", "watches", "events", "rule_sets", "decisions",
    "overrides", "bots", "bot_events", "webhook_endpoints", "messages", "deliveries",
    "delivery_attempts",
)  # fmt: skip
SWEPT = {
    "tenants": "id, retention_days",
    "connections": "tenant_id, id, due_at",
    "calendars": "tenant_id, id, connection_id, due_at, lease_until, push_due_at",
    "watches": "tenant_id, id, calendar_id, state, expires_at",
    "events": "tenant_id, id, user_id, decide_due_at",
    "bots": "tenant_id, id, status, due_at, lease_until",
    "deliveries": "tenant_id, id, endpoint_id, due_at, lease_until",
    "oauth_states": "tenant_id, expires_at",
    "idempotency_keys": "tenant_id, created_at",
}
GATED = {
    "api_keys": ("key_hash = decode({scope}, 'hex')", "*"),
    "oauth_states": ("state_hash = decode({scope}, 'hex')", "tenant_id, state_hash"),
    "watches": ("token_hash = decode({scope}, 'hex')", "tenant_id, id, calendar_id, token_hash"),
    "bots": ("id = {scope}", "tenant_id, id"),
    "connections": ("account_key || ' ' || client_id = {scope}", "tenant_id, id, removed_at"),
}
SCOPE = "nullif(current_setting('app.scope', true), '')"


def upgrade() -> None:
    for role in ROLES:
        op.execute(
            f"do $$ begin create role {role} nologin;"
            " exception when duplicate_object or unique_violation then null; end $$"
        )
        _let_log_in(role)
    op.execute(f"grant usage on schema public to {', '.join(ROLES)}")
    for table in ("tenants", *OF_TENANT):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
    _wall("tenants", "id", "select, update")
    for table in OF_TENANT:
        append_only = table == "audit_log"
        _wall(table, "tenant_id", "select, insert" + ("" if append_only else ", update, delete"))
    for table, columns in SWEPT.items():
        op.execute(f"create policy sweep on {table} for select to meetbot_sweep using (true)")
        op.execute(f"grant select ({columns}) on {table} to meetbot_sweep")
    for table, (condition, columns) in GATED.items():
        using = condition.format(scope=SCOPE)
        op.execute(f"create policy gate on {table} for select to meetbot_gate using ({using})")
        grant = "select" if columns == "*" else f"select ({columns})"
        op.execute(f"grant {grant} on {table} to meetbot_gate")
    op.execute("create policy operator on tenants to meetbot_operator using (true)")
    op.execute("grant select, insert, update, delete on tenants to meetbot_operator")
    op.execute("create policy operator on api_keys for insert to meetbot_operator with check (true)")
    op.execute("grant insert on api_keys to meetbot_operator")
    op.execute("grant select on alembic_version to meetbot_sweep")  # readiness asks for it


def _wall(table: str, column: str, rights: str) -> None:
    op.execute(
        f"create policy wall on {table} to meetbot_tenant"
        f" using ({column} = {SCOPE}) with check ({column} = {SCOPE})"
    )
    op.execute(f"grant {rights} on {table} to meetbot_tenant")


def _let_log_in(role: str) -> None:
    """Let the application's login take the role, without having it of itself."""
    login = context.config.attributes["login"].replace('"', '""')
    modern = op.get_bind().dialect.server_version_info >= (16,)
    how = " with inherit false, set true" if modern else ""
    literal = login.replace("'", "''")
    op.execute(
        f"do $$ begin if not pg_has_role('{literal}', '{role}', 'MEMBER')"
        f" then grant {role} to \"{login}\"{how}; end if; end $$"
    )


def downgrade() -> None:
    for table in ("tenants", *OF_TENANT):
        op.execute(f"alter table {table} no force row level security")
        op.execute(f"alter table {table} disable row level security")
        for policy in ("wall", "sweep", "gate", "operator"):
            op.execute(f"drop policy if exists {policy} on {table}")
    op.execute(f"revoke all on all tables in schema public from {', '.join(ROLES)}")
    op.execute(f"revoke usage on schema public from {', '.join(ROLES)}")
