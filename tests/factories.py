"""Makes values for tests: keyword-only, with sensible defaults."""

from datetime import UTC, datetime, timedelta
from typing import Any

from meetbot_calendar.bots.model import Bot, BotContent, BotId, Want
from meetbot_calendar.calendars.model import EventId
from tenants.identity import CalendarUserId, TenantId

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TENANT = TenantId("ten_a")
ANN = CalendarUserId("mcu_ann")
BOB = CalendarUserId("mcu_bob")
MEET = "https://meet.google.com/abc-defg-hij"


def make_want(**given: Any) -> Want:
    start = given.pop("start", NOON + timedelta(hours=2))
    values: dict[str, Any] = {
        "event_id": EventId("evt_1"),
        "user_id": ANN,
        "keys": ("uid:1@14",),
        "wanted": True,
        "start": start,
        "end": start + timedelta(minutes=30),
        "platform": "google_meet",
        "meeting_url": MEET,
        "title": "Weekly",
        "seen_at": NOON - timedelta(days=1),
    }
    return Want(**(values | given))


def make_bot(**given: Any) -> Bot:
    start = given.pop("start", NOON + timedelta(hours=2))
    values: dict[str, Any] = {
        "id": BotId("bot_1"),
        "tenant_id": TENANT,
        "status": "scheduled",
        "source": "rule",
        "reason": "matched",
        "keys": ("uid:1@14",),
        "start": start,
        "end": start + timedelta(minutes=30),
        "join_at": start - timedelta(seconds=90),
        "platform": "google_meet",
        "content": BotContent(meeting_url=MEET, title="Weekly"),
        "event_ids": (EventId("evt_1"),),
        "user_ids": (ANN,),
        "created_at": NOON - timedelta(days=1),
        "updated_at": NOON - timedelta(days=1),
    }
    return Bot(**(values | given))
