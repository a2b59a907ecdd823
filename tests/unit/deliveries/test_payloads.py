import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from meetbot_calendar.bots.model import Bot, BotContent, BotId
from meetbot_calendar.calendars.model import (
    Calendar,
    CalendarId,
    Connection,
    ConnectionId,
    EventId,
    Provider,
)
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.deliveries.payloads import (
    BotMessage,
    bot_payload,
    calendar_payload,
    changes_payload,
    endpoint_payload,
)
from tenants.identity import CalendarUserId, TenantId

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOT = Bot(
    id=BotId("bot_1"),
    tenant_id=TenantId("ten_1"),
    status="scheduled",
    source="rule",
    reason="matched",
    keys=("room:1",),
    start=NOON,
    end=NOON + timedelta(hours=1),
    join_at=NOON - timedelta(seconds=90),
    platform="zoom",
    content=BotContent(
        meeting_url="https://zoom.us/j/1", title="Weekly", ical_uid="uid@x", rule="customers"
    ),
    event_ids=(EventId("evt_1"), EventId("evt_2")),
    user_ids=(CalendarUserId("mcu_1"),),
    created_at=NOON,
    updated_at=NOON,
)
CONNECTION = Connection(
    id=ConnectionId("con_1"),
    tenant_id=TenantId("ten_1"),
    user_id=CalendarUserId("mcu_1"),
    provider=Provider.OUTLOOK,
    account_id="ana@example.com",
    account_key="tid.oid",
    scopes=("Calendars.Read",),
    client_id="app",
    created_at=NOON,
    updated_at=NOON,
)
CALENDAR = Calendar(
    id=CalendarId("cal_1"),
    tenant_id=TenantId("ten_1"),
    user_id=CalendarUserId("mcu_1"),
    connection_id=ConnectionId("con_1"),
    provider=Provider.GOOGLE,
    account_id="ana@example.com",
    platform_id="primary",
    name="Ana",
    is_primary=True,
    is_shared=False,
    access_role="owner",
)


def data_of(body: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(body)["data"]
    return data


def test_a_scheduled_bot_is_told_in_the_contracts_words() -> None:
    body = bot_payload("bot.scheduled", BOT, "ana-7", NOON)

    assert json.loads(body) == {
        "type": "bot.scheduled",
        "timestamp": "2026-11-20T12:00:00Z",
        "data": {
            "bot_id": "bot_1",
            "status": "scheduled",
            "source": "rule",
            "rule": "customers",
            "meetbot_calendar_user_id": "mcu_1",
            "customer_user_id": "ana-7",
            "event": {
                "id": "evt_1",
                "ical_uid": "uid@x",
                "title": "Weekly",
                "start_time": "2026-11-20T12:00:00Z",
                "end_time": "2026-11-20T13:00:00Z",
                "meeting_url": "https://zoom.us/j/1",
                "platform": "zoom",
            },
            "join_at": "2026-11-20T11:58:30Z",
            "reason": "matched",
        },
    }


def test_a_completed_bot_brings_what_the_fleet_reported() -> None:
    content = msgspec.structs.replace(
        BOT.content, recording_url="https://f/r", transcript_url="https://f/t"
    )
    done = msgspec.structs.replace(
        BOT, status="completed", content=content, duration_seconds=61.5, dispatched_at=NOON
    )

    data = data_of(bot_payload("bot.completed", done, "ana-7", NOON))

    assert data["recording_url"] == "https://f/r"
    assert data["transcript_url"] == "https://f/t"
    assert data["duration_seconds"] == 61.5
    assert data["dispatched_at"] == "2026-11-20T12:00:00Z"
    assert "reason" not in data


@pytest.mark.parametrize(
    ("kind", "reported", "reason"),
    [
        ("bot.failed", "kicked_out", "kicked_out"),
        ("bot.failed", None, "fleet_refused"),
        ("bot.completed", "host_ended", "host_ended"),
        ("bot.cancelled", "kicked_out", "fleet_refused"),
    ],
)
def test_the_reason_is_the_fleets_where_the_fleet_tells_it(
    kind: BotMessage, reported: str | None, reason: str
) -> None:
    content = msgspec.structs.replace(BOT.content, report_reason=reported)
    bot = msgspec.structs.replace(BOT, content=content, reason="fleet_refused")

    assert data_of(bot_payload(kind, bot, None, NOON))["reason"] == reason


def test_a_bot_without_event_user_or_rule_says_so() -> None:
    bot = msgspec.structs.replace(
        BOT,
        source="manual",
        event_ids=(),
        user_ids=(),
        platform=None,
        content=BotContent(meeting_url="https://meet.example/x"),
    )

    data = data_of(bot_payload("bot.scheduled", bot, None, NOON))

    assert "rule" not in data
    assert data["meetbot_calendar_user_id"] is None
    assert data["customer_user_id"] is None
    assert (data["event"]["id"], data["event"]["title"], data["event"]["platform"]) == (
        None,
        None,
        None,
    )


def test_times_are_told_in_utc_whatever_zone_they_came_in() -> None:
    berlin = timezone(timedelta(hours=1))

    body = bot_payload("bot.missed", BOT, None, NOON.astimezone(berlin))

    assert json.loads(body)["timestamp"] == "2026-11-20T12:00:00Z"


def test_the_same_values_give_the_same_bytes() -> None:
    assert bot_payload("bot.joined", BOT, "a", NOON) == bot_payload("bot.joined", BOT, "a", NOON)


def test_a_connection_that_needs_its_person_says_why() -> None:
    broken = msgspec.structs.replace(
        CONNECTION, status="needs_reauth", error_code="invalid_grant", error_detail="Sign in again."
    )

    assert data_of(calendar_payload("calendar.needs_reauth", broken, "ana-7", NOON)) == {
        "meetbot_calendar_user_id": "mcu_1",
        "customer_user_id": "ana-7",
        "connection_id": "con_1",
        "provider": "outlook",
        "account_id": "ana@example.com",
        "status": "needs_reauth",
        "scopes": ["Calendars.Read"],
        "reason": "invalid_grant",
        "detail": "Sign in again.",
    }


def test_a_disconnected_calendar_is_told_as_such() -> None:
    data = data_of(calendar_payload("calendar.disconnected", CONNECTION, "ana-7", NOON))

    assert data["status"] == "disconnected"
    assert "reason" not in data


def test_changed_events_are_listed_with_the_watermark_to_read_from() -> None:
    body = changes_payload(
        CALENDAR,
        "ana-7",
        changed=[EventId("evt_1")],
        deleted=[EventId("evt_2")],
        since="w1",
        at=NOON,
    )

    assert data_of(body) == {
        "meetbot_calendar_user_id": "mcu_1",
        "customer_user_id": "ana-7",
        "provider": "google",
        "account_id": "ana@example.com",
        "calendar_id": "cal_1",
        "event_ids": ["evt_1"],
        "deleted_event_ids": ["evt_2"],
        "has_more": False,
        "since": "w1",
    }


def test_a_great_many_changes_are_cut_short_and_say_so() -> None:
    many = [EventId(f"evt_{n}") for n in range(101)]

    data = data_of(
        changes_payload(CALENDAR, "ana-7", changed=many, deleted=[], since="w1", at=NOON)
    )

    assert (len(data["event_ids"]), data["has_more"]) == (100, True)


def test_an_endpoint_is_tested_with_a_message_of_its_own() -> None:
    body = endpoint_payload("endpoint.test", EndpointId("ep_1"), NOON)

    assert json.loads(body) == {
        "type": "endpoint.test",
        "timestamp": "2026-11-20T12:00:00Z",
        "data": {"endpoint_id": "ep_1"},
    }
