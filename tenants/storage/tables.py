"""The tenants' own tables: tenants, their keys, their people, what was done in their name."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    DefaultClause,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def instant(name: str, *, nullable: bool = False) -> Column:  # type: ignore[type-arg]
    """Make a column for an instant; always with a time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def identifier() -> Column[str]:
    """Make a primary key that holds one of our ids."""
    return Column("id", Text, primary_key=True)


def of_tenant(*, primary_key: bool = False) -> Column[str]:
    """Make the column that every policy reads; first in the key of what has no id of its own."""
    tenant = ForeignKey("tenants.id", ondelete="CASCADE")
    return Column("tenant_id", Text, tenant, nullable=False, primary_key=primary_key)


def reference(
    name: str, table: str, *, nullable: bool = False, primary_key: bool = False
) -> tuple[Column[str], ForeignKeyConstraint]:
    """Make a column that goes with the row it points at, which is of the same tenant.

    PostgreSQL checks a reference past row-level security. Were the tenant no part of it, a row
    could be hung onto another tenant's, and being refused would tell whether that one exists.
    """
    key = ForeignKeyConstraint(
        ["tenant_id", name], [f"{table}.tenant_id", f"{table}.id"], ondelete="CASCADE"
    )
    return Column(name, Text, nullable=nullable, primary_key=primary_key), key


def referred() -> UniqueConstraint:
    """Make the constraint of a table that others refer to."""
    return UniqueConstraint("tenant_id", "id")


def round_due(name: str) -> Column:  # type: ignore[type-arg]
    """Make the column that says when a tenant's next round is due: a first one at once."""
    column = instant(name)
    column.server_default = DefaultClause(text("'2000-01-01 00:00:00+00'"))
    return column


tenants = Table(
    "tenants",
    metadata,
    identifier(),
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("retention_days", Integer),
    Column("policy", LargeBinary, comment="sealed TenantPolicy; null is all defaults"),
    Column("rules_version", Integer, nullable=False, server_default=text("0")),
    Column("message_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("names_in_clear", Boolean, nullable=False, server_default=text("false")),
    instant("created_at"),
    instant("updated_at"),
    instant("closing_at", nullable=True),
    instant("closing_due_at", nullable=True),
    round_due("nightly_due_at"),
    round_due("renewal_due_at"),
    instant("purge_due_at", nullable=True),
    instant("last_purged_at", nullable=True),
    Column("last_purge", JSONB(none_as_null=True), comment="how many rows went, by kind"),
    CheckConstraint("region in ('eu', 'us')", name="region"),
    Index(None, "nightly_due_at"),
    Index(None, "renewal_due_at"),
)

data_keys = Table(
    "data_keys",
    metadata,
    identifier(),
    of_tenant(),
    Column("purpose", Text, nullable=False),
    Column("under", Text, nullable=False, server_default=text("'content'")),
    Column("passing", Boolean, nullable=False, server_default=text("false")),
    Column("wrapped", LargeBinary, nullable=False),
    instant("created_at"),
    instant("retired_at", nullable=True),
    CheckConstraint("purpose in ('content', 'grant')", name="purpose"),
    CheckConstraint("under in ('content', 'grant')", name="under"),
    Index(None, "tenant_id", "purpose", "created_at"),
)

key_rotations = Table(
    "key_rotations",
    metadata,
    Column("tenant_id", Text, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("from_version", Integer, comment="of the tenant key; null: not looked at yet"),
    Column("from_number", Integer, comment="of the newest standing data key then"),
    Column("floor", Integer, nullable=False, server_default=text("0")),
    instant("begun_at"),
    instant("finished_at", nullable=True),
    CheckConstraint("purpose in ('content', 'grant')", name="purpose"),
)

calendar_users = Table(
    "calendar_users",
    metadata,
    identifier(),
    of_tenant(),
    Column("customer_user_id", Text, nullable=False, comment="named, not told: see about"),
    Column("about", LargeBinary, comment="sealed, the tenant's id; null: it is in clear"),
    Column("content", LargeBinary, comment="sealed attributes and bot_config"),
    Column("auto_schedule", Boolean, nullable=False, server_default=text("false")),
    Column("rules_version", Integer, nullable=False, server_default=text("0")),
    Column("event_seq", BigInteger, nullable=False, server_default=text("0")),
    instant("created_at"),
    instant("updated_at"),
    instant("erased_at", nullable=True),
    UniqueConstraint("tenant_id", "customer_user_id"),
    referred(),
)

api_keys = Table(
    "api_keys",
    metadata,
    identifier(),
    of_tenant(),
    *reference("user_id", "calendar_users", nullable=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    instant("created_at"),
    instant("expires_at", nullable=True),
    instant("last_used_at", nullable=True),
    instant("revoked_at", nullable=True),
    referred(),
    Index(None, "tenant_id"),
)

admin_sessions = Table(
    "admin_sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    of_tenant(),
    *reference("api_key_id", "api_keys"),
    instant("created_at"),
    instant("expires_at"),
    Index(None, "api_key_id"),
    Index(None, "expires_at"),
)

oauth_apps = Table(
    "oauth_apps",
    metadata,
    of_tenant(primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False, comment="sealed"),
    instant("created_at"),
    instant("updated_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    of_tenant(primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, comment="null while the first request is still at work"),
    Column("answer", LargeBinary, comment="sealed"),
    instant("created_at"),
    Index(None, "created_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    identifier(),
    of_tenant(),
    instant("at"),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("content", LargeBinary, comment="sealed details"),
    Index(None, "tenant_id", "id"),
)

__all__ = [
    "admin_sessions",
    "api_keys",
    "audit_log",
    "calendar_users",
    "data_keys",
    "idempotency_keys",
    "identifier",
    "instant",
    "key_rotations",
    "metadata",
    "oauth_apps",
    "of_tenant",
    "reference",
    "referred",
    "tenants",
]
