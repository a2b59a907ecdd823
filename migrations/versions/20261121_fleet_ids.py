"""The gate knows a bot by the fleet's id as well: some fleets carry none of ours in what they report.

Safe beside old code: it asks the gate for its own ids alone, whose answers stay the same.
"""

from alembic import op

revision = "20261121_fleet_ids"
down_revision = "20261121_admin_sessions"
branch_labels = None
depends_on = None

SCOPE = "nullif(current_setting('app.scope', true), '')"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            "create index concurrently if not exists ix_bots_fleet_bot_id on bots (fleet_bot_id)"
            " where fleet_bot_id is not null"
        )
    op.execute(f"alter policy gate on bots using (id = {SCOPE} or fleet_bot_id = {SCOPE})")
    op.execute("grant select (fleet_bot_id) on bots to meetbot_gate")


def downgrade() -> None:
    op.execute("revoke select (fleet_bot_id) on bots from meetbot_gate")
    op.execute(f"alter policy gate on bots using (id = {SCOPE})")
    op.execute("drop index if exists ix_bots_fleet_bot_id")
