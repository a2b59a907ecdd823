"""Who is who: typed ids, and the values that describe a tenant, its people and the caller."""

import secrets
from datetime import datetime
from typing import Any, Literal, NewType

import msgspec

TenantId = NewType("TenantId", str)
CalendarUserId = NewType("CalendarUserId", str)
ApiKeyId = NewType("ApiKeyId", str)

Region = Literal["eu", "us"]
Dedupe = Literal["meeting", "user"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


def new_id(prefix: str, now: datetime) -> str:
    """Make an id that sorts by its creation and says nothing else: ``evt_01kb3…``.

    48 bits of milliseconds and 80 random bits, 26 characters after the prefix.
    """
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    digits = (_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{''.join(digits)}"


class OptOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom and where a tenant never records; beats every rule and every override."""

    emails: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()


class TenantPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant has settled for all of its calendar users."""

    retention_days: int | None = None
    join_lead_seconds: float | None = None
    default_bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    default_rules: dict[str, Any] | None = None
    redirect_urls: tuple[str, ...] = ()
    internal_domains: tuple[str, ...] = ()
    dedupe: Dedupe = "meeting"
    policy_rules: dict[str, Any] | list[Any] | None = None
    opt_out: OptOut = OptOut()
    record_declined: bool = False
    join_late: bool = True


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of the operator: the wall."""

    id: TenantId
    name: str
    region: Region
    policy: TenantPolicy
    created_at: datetime
    updated_at: datetime
    last_purged_at: datetime | None = None
    last_purge: dict[str, int] = msgspec.field(default_factory=dict)


class CalendarUser(msgspec.Struct, frozen=True, kw_only=True):
    """One end-user of a tenant; ``customer_user_id`` is the tenant's own id for the person."""

    id: CalendarUserId
    tenant_id: TenantId
    customer_user_id: str
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    auto_schedule: bool = False
    created_at: datetime
    updated_at: datetime


class TenantContext(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a journey runs: the tenant, who asked, and the one user it may be bound to.

    ``address`` is from where they asked, where somebody did. ``trail`` is filled with what they did
    in one request, as it is written down.
    """

    tenant_id: TenantId
    actor: str = "system"
    user_id: CalendarUserId | None = None
    address: str | None = None
    trail: list[str] | None = None
