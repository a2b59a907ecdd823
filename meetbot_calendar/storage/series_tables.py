"""The tables of series: which are followed, and what people said of a whole one."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tenants.storage.tables import identifier, instant, metadata, of_tenant, reference

series = Table(
    "series",
    metadata,
    identifier(),
    of_tenant(),
    *reference("user_id", "calendar_users"),
    *reference("calendar_id", "calendars"),
    Column("platform_id", Text, nullable=False),
    Column("follows", Boolean, nullable=False),
    instant("slot", nullable=True),
    Column("content", LargeBinary, nullable=False, comment="sealed SeriesContent"),
    Column("actor", Text, nullable=False),
    instant("due_at", nullable=True),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("calendar_id", "platform_id"),
    Index(None, "due_at", postgresql_where=text("due_at is not null")),
    Index(None, "user_id"),
)

series_overrides = Table(
    "series_overrides",
    metadata,
    identifier(),
    of_tenant(),
    *reference("user_id", "calendar_users"),
    *reference("calendar_id", "calendars"),
    Column("series_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    instant("first_slot"),
    instant("last_slot", nullable=True),
    Column("content", LargeBinary, nullable=False, comment="sealed bot_config"),
    Column("actor", Text, nullable=False),
    instant("created_at"),
    CheckConstraint("action in ('record', 'skip')", name="action"),
    Index(None, "calendar_id", "series_id"),
    Index(None, "user_id"),
)
