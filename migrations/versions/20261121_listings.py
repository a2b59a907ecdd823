"""A connection remembers what its list of calendars was like, so that an unchanged one is let be.

Old code survives it: the column is empty by itself, and it does not ask for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261121_listings"
down_revision = "20261121_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("listing_digest", sa.Text))


def downgrade() -> None:
    op.drop_column("connections", "listing_digest")
