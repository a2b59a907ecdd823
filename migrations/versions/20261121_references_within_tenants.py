"""References name the tenant too: no row can hang on another tenant's, nor tell that it exists.

PostgreSQL checks references past row-level security. Safe beside old code, which writes the same
columns; the constraints are built and checked under a lock, some seconds for a million events.
"""

from alembic import op

revision = "20261121_references"
down_revision = "20261120_walls"
branch_labels = None
depends_on = None

REFERRED = (
    "calendar_users", "connections", "calendars", "events", "bots", "webhook_endpoints",
    "messages", "deliveries",
)  # fmt: skip
REFERENCES = (
    ("api_keys", "user_id", "calendar_users"),
    ("oauth_states", "user_id", "calendar_users"),
    ("connections", "user_id", "calendar_users"),
    ("calendars", "user_id", "calendar_users"),
    ("calendars", "connection_id", "connections"),
    ("watches", "calendar_id", "calendars"),
    ("events", "user_id", "calendar_users"),
    ("events", "connection_id", "connections"),
    ("events", "calendar_id", "calendars"),
    ("rule_sets", "user_id", "calendar_users"),
    ("decisions", "event_id", "events"),
    ("overrides", "event_id", "events"),
    ("bot_events", "bot_id", "bots"),
    ("bot_events", "event_id", "events"),
    ("bot_events", "user_id", "calendar_users"),
    ("deliveries", "message_id", "messages"),
    ("deliveries", "endpoint_id", "webhook_endpoints"),
    ("delivery_attempts", "delivery_id", "deliveries"),
)


def upgrade() -> None:
    for table in REFERRED:
        op.create_unique_constraint(f"uq_{table}_tenant_id_id", table, ["tenant_id", "id"])
    for table, column, target in REFERENCES:
        op.drop_constraint(f"fk_{table}_{column}", table)
        op.create_foreign_key(
            f"fk_{table}_tenant_id_{column}",
            table,
            target,
            ["tenant_id", column],
            ["tenant_id", "id"],
            ondelete="CASCADE",
        )


def downgrade() -> None:
    for table, column, target in REFERENCES:
        op.drop_constraint(f"fk_{table}_tenant_id_{column}", table)
        op.create_foreign_key(
            f"fk_{table}_{column}", table, target, [column], ["id"], ondelete="CASCADE"
        )
    for table in REFERRED:
        op.drop_constraint(f"uq_{table}_tenant_id_id", table)
