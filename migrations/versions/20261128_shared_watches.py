"""A watch is also found by what its provider calls it: one of Graph's may serve several calendars.

Graph keeps one subscription for each app and mailbox; who connects a mailbox that is connected
already shares it. Old code survives it: it does not fill the column, and shares nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_shared_watches"
down_revision = "20261128_past_bots"
branch_labels = None
depends_on = None

SCOPE = "decode(nullif(current_setting('app.scope', true), ''), 'hex')"
STANDING = (
    "not exists (select 1 from tenants"
    " where tenants.id = watches.tenant_id and tenants.closing_at is not null)"
)


def upgrade() -> None:
    op.add_column("watches", sa.Column("platform_hash", sa.LargeBinary))
    op.execute("alter table watches no force row level security")  # it stops the owner as well
    op.execute("update watches set platform_hash = sha256(convert_to(platform_watch_id, 'UTF8'))")
    op.execute("alter table watches force row level security")
    op.create_index(op.f("ix_watches_platform_hash"), "watches", ["platform_hash"])
    op.execute(
        f"alter policy gate on watches using ({STANDING}"
        f" and (token_hash = {SCOPE} or platform_hash = {SCOPE}))"
    )
    op.execute("grant select (platform_hash) on watches to meetbot_gate")


def downgrade() -> None:
    op.execute("revoke select (platform_hash) on watches from meetbot_gate")
    op.execute(f"alter policy gate on watches using (token_hash = {SCOPE} and {STANDING})")
    op.drop_index("ix_watches_platform_hash", "watches")
    op.drop_column("watches", "platform_hash")
