"""The table of what was used by bots that are not kept any more."""

from sqlalchemy import Column, Float, Index, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from tenants.storage.tables import instant, metadata, of_tenant

past_bots = Table(
    "past_bots",
    metadata,
    of_tenant(primary_key=True),
    Column("id", Text, primary_key=True, comment="the bot's"),
    Column("status", Text, nullable=False),
    instant("join_at"),
    Column("duration_seconds", Float),
    Column("user_ids", ARRAY(Text), nullable=False, comment="whom it served, but for the erased"),
    Index(None, "tenant_id", "join_at"),
)
