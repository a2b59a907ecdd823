"""``/v1/usage`` and ``/v1/audit-log``: what was used, and who did what."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation

from meetbot_calendar.journeys import accounts
from meetbot_calendar.journeys.accounts import AuditEntry, AuditFilter
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    FromText,
    Given,
    PageOf,
    ToText,
    Wish,
    instant_of,
    page_of,
    utc,
)


class UsedView(msgspec.Struct, frozen=True, kw_only=True):
    """What one calendar user used."""

    user_id: str
    customer_user_id: str
    recorded_seconds: float
    bots: dict[str, int]
    connections: int


class UsageView(msgspec.Struct, frozen=True, kw_only=True, rename={"begin": "from", "end": "to"}):
    """What was used; a bot that served several people counts once in all, and for each of them."""

    begin: datetime
    end: datetime
    recorded_seconds: float
    bots: dict[str, int]
    connections: int
    calendar_users: tuple[UsedView, ...]


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done, and from which address.

    The actor is a key's id, `consent:` with a calendar user's, `operator` or `system`.
    """

    id: str
    at: datetime
    actor: str
    action: str
    target: str | None
    address: str | None
    details: dict[str, Any]


def audit_view(entry: AuditEntry) -> AuditView:
    """Write one entry of the log."""
    return AuditView(
        id=entry.id,
        at=utc(entry.at),
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        address=entry.address,
        details=entry.details,
    )


@get("/usage")
async def read_usage(
    services: Given,
    context: Caller,
    begin: FromText = None,
    end: ToText = None,
) -> UsageView:
    """Count recorded seconds, bots by outcome and connections; by default of this month."""
    usage = await accounts.read_usage(
        services, context, instant_of("from", begin), instant_of("to", end)
    )
    return UsageView(
        begin=utc(usage.begin),
        end=utc(usage.end),
        recorded_seconds=usage.in_all.recorded_seconds,
        bots=usage.in_all.bots,
        connections=usage.in_all.connections,
        calendar_users=tuple(UsedView(**msgspec.structs.asdict(row)) for row in usage.by_person),
    )


Sought = Annotated[str | None, QueryParameter(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]


def audit_filter(
    actor: Sought = None,
    action: Sought = None,
    target: Sought = None,
    begin: FromText = None,
    end: ToText = None,
) -> AuditFilter:
    """Read which entries are asked for."""
    return AuditFilter(
        actor=actor,
        action=action,
        target=target,
        begin=instant_of("from", begin),
        end=instant_of("to", end),
    )


@get("/audit-log", dependencies={"which": Provide(audit_filter, sync_to_thread=False)})
async def list_audit_log(
    services: Given,
    context: Caller,
    wish: Wish,
    which: NamedDependency[SkipValidation[AuditFilter]],
) -> PageOf[AuditView]:
    """List who did what, to what, when and from where; newest first."""
    listed = await accounts.list_audit(services, context, which, wish)
    return page_of(listed, tuple(audit_view(entry) for entry in listed.results))


router = Router(
    "/v1",
    route_handlers=[read_usage, list_audit_log],
    dependencies=PAGED,
    tags=["Tenant"],
)
