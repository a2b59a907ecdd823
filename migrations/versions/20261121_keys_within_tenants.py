"""Keys made of references begin with the tenant, so that a taken one tells nothing of another's.

Old code fails to write decisions and overrides meanwhile: its upserts name the old keys. It tries
again, so it loses nothing; the constraints are built under a lock.
"""

from alembic import op

revision = "20261121_keys"
down_revision = "20261121_fleet_ids"
branch_labels = None
depends_on = None

KEYS = {
    "rule_sets": ["user_id", "version"],
    "decisions": ["event_id", "version"],
    "overrides": ["event_id"],
    "bot_events": ["bot_id", "event_id"],
    "delivery_attempts": ["delivery_id", "number"],
}


def upgrade() -> None:
    for table, columns in KEYS.items():
        op.drop_constraint(f"pk_{table}", table)
        op.create_primary_key(f"pk_{table}", table, ["tenant_id", *columns])


def downgrade() -> None:
    for table, columns in KEYS.items():
        op.drop_constraint(f"pk_{table}", table)
        op.create_primary_key(f"pk_{table}", table, columns)
