"""Events with sensible defaults, for the tests of this folder."""

from datetime import UTC, datetime, timedelta
from typing import Any

from meetbot_calendar.calendars.model import (
    CalendarId,
    ConnectionId,
    EventContent,
    EventId,
    FetchedEvent,
    Provider,
    Span,
    StoredEvent,
)
from tenants.identity import CalendarUserId, TenantId

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def span(start: datetime = NOW, minutes: float = 30, **more: Any) -> Span:
    return Span(start=start, end=start + timedelta(minutes=minutes), **more)


def day(year: int, month: int, number: int) -> Span:
    return span(datetime(year, month, number, tzinfo=UTC), 24 * 60, is_all_day=True)


def fetched_event(platform_id: str = "one", **more: Any) -> FetchedEvent:
    values: dict[str, Any] = {"span": span(), "content": EventContent(title="Weekly")}
    return FetchedEvent(platform_id=platform_id, **(values | more))


def stored_event(platform_id: str = "one", **more: Any) -> StoredEvent:
    values: dict[str, Any] = {
        "id": EventId(f"evt_{platform_id}"),
        "tenant_id": TenantId("ten_1"),
        "user_id": CalendarUserId("mcu_1"),
        "connection_id": ConnectionId("con_1"),
        "calendar_id": CalendarId("cal_1"),
        "provider": Provider.GOOGLE,
        "account_id": "ann@example.com",
        "span": span(),
        "content": EventContent(title="Weekly"),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return StoredEvent(platform_id=platform_id, **(values | more))
