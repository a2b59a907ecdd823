"""The tables of what is told to tenants: endpoints, messages, deliveries, attempts."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tenants.storage.tables import identifier, instant, metadata, of_tenant, reference, referred

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    identifier(),
    of_tenant(),
    Column("about", LargeBinary, comment="sealed EndpointContent; null: it is in clear"),
    Column("url", Text, comment="only where it is in clear"),
    Column("events", ARRAY(Text), nullable=False),
    Column("description", Text, comment="only where it is in clear"),
    Column("status", Text, nullable=False),
    Column("disabled_reason", Text),
    instant("failing_since", nullable=True),
    Column("secrets", LargeBinary, nullable=False, comment="sealed, newest first"),
    instant("old_secret_until", nullable=True),
    instant("created_at"),
    instant("updated_at"),
    CheckConstraint("status in ('enabled', 'disabled')", name="status"),
    Index(None, "tenant_id"),
    referred(),
)

messages = Table(
    "messages",
    metadata,
    identifier(),
    of_tenant(),
    Column("seq", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("bot_id", Text),
    Column("body", LargeBinary, nullable=False, comment="sealed; the exact bytes that are signed"),
    instant("created_at"),
    UniqueConstraint("tenant_id", "seq"),
    Index(None, "tenant_id", "created_at"),
    referred(),
)

deliveries = Table(
    "deliveries",
    metadata,
    identifier(),
    of_tenant(),
    *reference("message_id", "messages"),
    *reference("endpoint_id", "webhook_endpoints"),
    Column("seq", BigInteger, nullable=False, comment="its message's"),
    Column("type", Text, nullable=False),
    Column("bot_id", Text),
    Column("status", Text, nullable=False),
    Column("attempts_made", Integer, nullable=False, server_default=text("0")),
    instant("due_at", nullable=True),
    instant("lease_until", nullable=True),
    Column("lease_id", Text),
    instant("created_at"),
    instant("updated_at"),
    CheckConstraint(
        "status in ('pending', 'delivering', 'delivered', 'exhausted', 'cancelled')",
        name="status",
    ),
    Index(None, "tenant_id", "id"),
    Index(None, "due_at", postgresql_where=text("due_at is not null")),
    Index(None, "endpoint_id", "due_at", "seq", postgresql_where=text("due_at is not null")),
    Index(None, "endpoint_id", "bot_id", postgresql_where=text("due_at is not null")),
    Index(None, "endpoint_id"),
    referred(),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    of_tenant(primary_key=True),
    *reference("delivery_id", "deliveries", primary_key=True),
    Column("number", Integer, primary_key=True),
    instant("at"),
    Column("status_code", Integer),
    Column("latency_ms", Integer),
    Column("error", Text),
    Column("excerpt", LargeBinary, comment="sealed"),
)
