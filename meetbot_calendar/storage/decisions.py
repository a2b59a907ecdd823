"""What was decided of each event, by which version of the rules, and what people said of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from meetbot_calendar.bots.overrides import Override, prevailing
from meetbot_calendar.calendars.model import EventId
from meetbot_calendar.storage import series_overrides
from meetbot_calendar.storage.tables import decisions, events, overrides
from tenants.storage.session import TenantSession

__all__ = ["Override"]


class DecisionContent(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a decision that is stored sealed."""

    rule: str | None = None
    detail: str
    bot_config: dict[str, Any] | None = None
    errors: tuple[str, ...] = ()


class StoredDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it stands: ``source`` and ``reason`` are the contract's stable codes."""

    event_id: EventId
    version: int
    action: Literal["record", "skip"]
    source: str
    reason: str
    content: DecisionContent
    decided_at: datetime


async def current(
    session: TenantSession, event_ids: Sequence[EventId]
) -> dict[EventId, StoredDecision]:
    """Return the standing decision of each event that has one."""
    statement = (
        select(decisions)
        .join(events, events.c.id == decisions.c.event_id)
        .where(
            decisions.c.event_id.in_(event_ids),
            decisions.c.version == events.c.decided_version,
        )
    )
    rows = await session.execute(statement)
    return {EventId(row.event_id): _decision_of(session, row) for row in rows}


async def history(
    session: TenantSession, event_ids: Sequence[EventId]
) -> tuple[StoredDecision, ...]:
    """Return every decision that is kept of these events, also those that later ones replaced."""
    statement = (
        select(decisions)
        .where(decisions.c.event_id.in_(event_ids))
        .order_by(decisions.c.event_id, decisions.c.version)
    )
    return tuple(_decision_of(session, row) for row in await session.execute(statement))


def _decision_of(session: TenantSession, row: Row[Any]) -> StoredDecision:
    return StoredDecision(
        event_id=EventId(row.event_id),
        version=row.version,
        action=row.action,
        source=row.source,
        reason=row.reason,
        content=opened(session, row.event_id, row.content),
        decided_at=row.decided_at,
    )


def opened(session: TenantSession, event_id: str, sealed: bytes) -> DecisionContent:
    """Open what a decision says. Its seal names the event and that it is a decision."""
    return session.open(_name(event_id), sealed, DecisionContent)


def _name(event_id: str) -> str:
    return f"decision:{event_id}"


async def write(session: TenantSession, decided: Sequence[StoredDecision]) -> None:
    """Write decisions; one of the same event and version is replaced."""
    if not decided:
        return
    fresh = upsert(decisions)
    names = ("action", "source", "reason", "content", "decided_at")
    statement = fresh.on_conflict_do_update(
        index_elements=["tenant_id", "event_id", "version"],
        set_={name: fresh.excluded[name] for name in names},
    )
    rows = [
        {
            "tenant_id": session.tenant_id,
            "event_id": decision.event_id,
            "version": decision.version,
            "action": decision.action,
            "source": decision.source,
            "reason": decision.reason,
            "content": session.seal(_name(decision.event_id), decision.content),
            "decided_at": decision.decided_at,
        }
        for decision in decided
    ]
    await session.execute(statement, rows)


async def settle(session: TenantSession, version: int, event_ids: Sequence[EventId]) -> None:
    """Take away the mark "to decide" and say which version stands."""
    await session.execute(
        update(events)
        .where(events.c.id.in_(event_ids))
        .values(decide_due_at=None, decided_version=version)
    )


async def overrides_of(
    session: TenantSession, event_ids: Sequence[EventId]
) -> Mapping[EventId, Override]:
    """Return what counts of all that people said of these events and of their series."""
    own = await own_overrides(session, event_ids)
    of_series = await series_overrides.of_events(session, event_ids)
    said = {
        event_id: stronger.on(event_id)
        for event_id, covering in of_series.items()
        if (stronger := prevailing(own.get(event_id), covering)) is not None
    }
    return own | said


async def own_overrides(
    session: TenantSession, event_ids: Sequence[EventId]
) -> dict[EventId, Override]:
    """Return what people said of these events themselves."""
    rows = await session.execute(select(overrides).where(overrides.c.event_id.in_(event_ids)))
    return {
        EventId(row.event_id): Override(
            event_id=EventId(row.event_id),
            action=row.action,
            bot_config=session.open(f"override:{row.event_id}", row.content, dict[str, Any])
            if row.content
            else {},
            actor=row.actor,
            created_at=row.created_at,
        )
        for row in rows
    }


async def save_override(session: TenantSession, override: Override) -> None:
    """Remember what a person said of an event; it beats every rule and every sync."""
    values = {
        "action": override.action,
        "content": session.seal(f"override:{override.event_id}", override.bot_config),
        "actor": override.actor,
        "created_at": override.created_at,
    }
    await session.execute(
        upsert(overrides)
        .values(tenant_id=session.tenant_id, event_id=override.event_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "event_id"], set_=values)
    )
