import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.bots.fleet import Fleet, Order, Report
from meetbot_calendar.deliveries.signing import headers as signed
from meetbot_calendar.errors import (
    Fault,
    GiveUp,
    InstallationFault,
    Invalid,
    MeetbotError,
    OutcomeUnknown,
    Tampered,
    TryLater,
)
from meetbot_calendar.gateways.fleets.meetbot import MeetbotFleet
from meetbot_calendar.gateways.transport import Transport, open_transport
from tests.loopback import FarEnd, Heard, Script, listening, says

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ORDER = Order(
    key="bot_1",
    bot_id="bot_1",
    tenant_id="ten_1",
    meeting_url="https://zoom.us/j/1?pwd=hush",
    platform="zoom",
    join_at=datetime(2026, 11, 20, 13, tzinfo=timezone(timedelta(hours=1))),
    bot_config={"bot_name": "Notes"},
    metadata={"event_id": "evt_1", "title": "Weekly"},
    callback_url="https://us.example/v1/bots/bot_1/status",
)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with open_transport() as opened:
        yield opened


def fleet_at(transport: Transport, url: str) -> Fleet:
    return MeetbotFleet(transport, url=f"{url}/v1/", api_key="key-1", callback_secret=SECRET)


@asynccontextmanager
async def fleet_that(transport: Transport, script: Script) -> AsyncIterator[tuple[Fleet, FarEnd]]:
    async with listening(script) as end:
        yield fleet_at(transport, end.url), end


async def no_word(_: Heard, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_bot_is_ordered_in_the_contracts_words_and_its_id_returned(
    transport: Transport,
) -> None:
    async with fleet_that(transport, says(b'{"id": "fb_9", "more": 1}', 201)) as (fleet, end):
        sent = await fleet.send(ORDER)

    heard = end.heard[0]
    assert sent == "fb_9"
    assert (heard.method, heard.target) == ("POST", "/v1/bots")
    assert heard.headers["authorization"] == "Bearer key-1"
    assert heard.headers["idempotency-key"] == "bot_1"
    assert heard.headers["content-type"] == "application/json"
    assert json.loads(heard.body) == {
        "bot_id": "bot_1",
        "tenant_id": "ten_1",
        "meeting_url": "https://zoom.us/j/1?pwd=hush",
        "platform": "zoom",
        "join_at": "2026-11-20T12:00:00Z",
        "bot_config": {"bot_name": "Notes"},
        "metadata": {"event_id": "evt_1", "title": "Weekly"},
        "callback_url": "https://us.example/v1/bots/bot_1/status",
    }


async def test_an_order_of_unknown_outcome_is_found_by_sending_the_very_same_again(
    transport: Transport,
) -> None:
    reordered = msgspec.structs.replace(ORDER, metadata={"title": "Weekly", "event_id": "evt_1"})

    async with fleet_that(transport, says(b'{"id": "fb_9"}')) as (fleet, end):
        await fleet.send(ORDER)
        found = await fleet.find(reordered)

    first, second = end.heard
    assert found == "fb_9"
    assert (first.body, first.headers) == (second.body, second.headers)


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        (b"", OutcomeUnknown, "outcome_unknown"),
        (b'{"code": "request_in_progress"}', OutcomeUnknown, "outcome_unknown"),
        (b'{"error": {"code": "idempotency_conflict"}}', GiveUp, "idempotency_conflict"),
        (b'{"code": "IDEMPOTENCY_CONFLICT", "id": "fb_8"}', GiveUp, "idempotency_conflict"),
    ],
)
async def test_an_order_that_is_still_being_taken_is_not_given_up(
    transport: Transport, body: bytes, error: type[MeetbotError], code: str
) -> None:
    async with fleet_that(transport, says(body, 409, {"retry-after": "3"})) as (fleet, _):
        with pytest.raises(MeetbotError) as raised:
            await fleet.find(ORDER)

    found = raised.value
    assert (type(found), found.code) == (error, code)
    assert getattr(found, "after", None) == (timedelta(seconds=3) if error is not GiveUp else None)


async def test_a_conflict_of_an_order_with_itself_may_name_the_bot(transport: Transport) -> None:
    async with fleet_that(transport, says(b'{"id": "fb_9"}', 409)) as (fleet, _):
        assert await fleet.find(ORDER) == "fb_9"
        assert await fleet.send(ORDER) == "fb_9"


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (408, TryLater, "fleet_busy"),
        (429, TryLater, "fleet_busy"),
        (503, TryLater, "fleet_busy"),
        (507, TryLater, "fleet_busy"),
        (301, InstallationFault, "fleet_closed"),
        (401, InstallationFault, "fleet_closed"),
        (403, InstallationFault, "fleet_closed"),
        (400, GiveUp, "fleet_refused"),
        (404, GiveUp, "fleet_refused"),
        (422, GiveUp, "fleet_refused"),
        (409, GiveUp, "idempotency_conflict"),
        (500, OutcomeUnknown, "outcome_unknown"),
        (502, OutcomeUnknown, "outcome_unknown"),
        (504, OutcomeUnknown, "outcome_unknown"),
    ],
)
async def test_each_refusal_says_what_to_do_about_it(
    transport: Transport, status: int, error: type[MeetbotError], code: str
) -> None:
    async with fleet_that(transport, says(b"no", status)) as (fleet, _):
        with pytest.raises(MeetbotError) as raised:
            await fleet.send(ORDER)

    assert (type(raised.value), raised.value.code) == (error, code)
    assert "hush" not in raised.value.detail


async def test_a_full_fleet_says_when_to_come_back(transport: Transport) -> None:
    async with fleet_that(transport, says(b"", 507, {"retry-after": "20"})) as (fleet, _):
        with pytest.raises(TryLater) as raised:
            await fleet.send(ORDER)

    assert raised.value.after == timedelta(seconds=20)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"code": "bad_link", "detail": "https://zoom.us/j/1?pwd=hush"}', "bad_link"),
        (b'{"code": "https://zoom.us/j/1?pwd=hush"}', "fleet_refused"),
        (b'{"error": {"code": "bad_link"}}', "bad_link"),
        (b'{"code": 7, "error": []}', "fleet_refused"),
        (b"<html>", "fleet_refused"),
    ],
)
async def test_the_fleets_own_code_is_kept_and_its_sentence_is_not(
    transport: Transport, body: bytes, code: str
) -> None:
    async with fleet_that(transport, says(body, 422)) as (fleet, _):
        with pytest.raises(GiveUp) as raised:
            await fleet.send(ORDER)

    assert raised.value.code == code
    assert "hush" not in raised.value.detail


async def test_a_fleet_may_number_its_bots(transport: Transport) -> None:
    async with fleet_that(transport, says(b'{"id": 9}')) as (fleet, end):
        sent = await fleet.send(ORDER)
        await fleet.recall(sent)

    assert sent == "9"
    assert end.heard[-1].target == "/v1/bots/9"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": ""}', b'{"id": true}', b"[]"])
async def test_an_order_taken_without_an_id_is_of_unknown_outcome(
    transport: Transport, body: bytes
) -> None:
    async with fleet_that(transport, says(body, 201)) as (fleet, _):
        with pytest.raises(OutcomeUnknown):
            await fleet.send(ORDER)


async def test_a_lost_answer_leaves_the_outcome_unknown_and_a_closed_port_does_not(
    transport: Transport,
) -> None:
    async with fleet_that(transport, no_word) as (fleet, _):
        with pytest.raises(OutcomeUnknown):
            await fleet.send(ORDER)

    with pytest.raises(TryLater) as raised:
        await fleet.send(ORDER)
    assert type(raised.value) is TryLater


@pytest.mark.parametrize("status", [200, 204, 404, 409, 410])
async def test_a_bot_that_is_gone_or_done_counts_as_recalled(
    transport: Transport, status: int
) -> None:
    async with fleet_that(transport, says(b"", status)) as (fleet, end):
        await fleet.recall("fb/9?x")

    assert [(h.method, h.target, h.headers["authorization"]) for h in end.heard] == [
        ("DELETE", "/v1/bots/fb%2F9%3Fx", "Bearer key-1")
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, TryLater), (401, InstallationFault), (500, OutcomeUnknown), (422, GiveUp)],
)
async def test_a_recall_that_fails_says_what_to_do_about_it(
    transport: Transport, status: int, error: type[MeetbotError]
) -> None:
    async with fleet_that(transport, says(b"", status)) as (fleet, _):
        with pytest.raises(MeetbotError) as raised:
            await fleet.recall("fb_9")

    assert type(raised.value) is error


def report(body: dict[str, Any], transport: Transport) -> Report:
    written = json.dumps(body).encode()
    headers = signed("msg_f1", NOON, written, [SECRET])
    return fleet_at(transport, "http://fleet").read_report(headers, written, NOON)


def test_a_report_is_verified_and_mapped_whatever_else_it_says(transport: Transport) -> None:
    got = report(
        {
            "type": "bot.completed",
            "timestamp": "2026-11-20T13:00:00+01:00",
            "data": {
                "recording_url": "https://f/r",
                "transcript_url": "https://f/t",
                "duration_seconds": 60,
                "reason": "host_ended",
                "later": "version",
            },
            "also": 1,
        },
        transport,
    )

    assert got == Report(
        kind="completed",
        at=NOON,
        recording_url="https://f/r",
        transcript_url="https://f/t",
        duration_seconds=60.0,
        reason="host_ended",
        message_id="msg_f1",
    )


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {}}, {"data": {"reason": ""}}])
def test_a_report_may_say_nothing_but_what_happened(
    transport: Transport, data: dict[str, Any]
) -> None:
    got = report({"type": "bot.joined", "timestamp": "2026-11-20T12:00:00Z"} | data, transport)

    assert got == Report(kind="joined", at=NOON, message_id="msg_f1")


def test_an_endless_reason_is_cut_and_not_refused(transport: Transport) -> None:
    body = {
        "type": "bot.failed",
        "timestamp": "2026-11-20T12:00:00Z",
        "data": {"reason": "x" * 5000},
    }

    assert report(body, transport).reason == "x" * 1000


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"type": "bot.danced"}, "/type"),
        ({"timestamp": "2026-11-20T12:00:00"}, "/timestamp"),
        ({"timestamp": 7}, "/timestamp"),
        ({"data": {"duration_seconds": -1}}, "/data/duration_seconds"),
        ({"data": {"recording_url": "https://" + "x" * 20_000}}, "/data/recording_url"),
        ({"data": []}, "/data"),
    ],
)
def test_a_malformed_report_is_refused_with_the_place_of_the_fault(
    transport: Transport, change: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as raised:
        report({"type": "bot.joined", "timestamp": "2026-11-20T12:00:00Z"} | change, transport)

    assert [type(fault) for fault in raised.value.faults] == [Fault]
    assert raised.value.faults[0].pointer == pointer


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff", b"7"])
def test_a_signed_body_that_is_no_report_is_refused(transport: Transport, body: bytes) -> None:
    headers = signed("msg_f1", NOON, body, [SECRET])

    with pytest.raises(Invalid):
        fleet_at(transport, "http://fleet").read_report(headers, body, NOON)


def test_a_report_under_another_secret_or_from_another_time_is_tampered(
    transport: Transport,
) -> None:
    body = b'{"type": "bot.joined", "timestamp": "2026-11-20T12:00:00Z"}'
    fleet = fleet_at(transport, "http://fleet")

    with pytest.raises(Tampered):
        fleet.read_report(signed("msg_f1", NOON, body, ["whsec_b3RoZXI="]), body, NOON)
    with pytest.raises(Tampered):
        fleet.read_report(signed("msg_f1", NOON, body, [SECRET]), body, NOON + timedelta(minutes=6))


@given(body=st.binary(), headers=st.dictionaries(st.text(), st.text()))
def test_what_the_fleet_did_not_sign_is_tampered_whatever_it_is(
    body: bytes, headers: dict[str, str]
) -> None:
    fleet = MeetbotFleet(Nowhere(), url="http://fleet", api_key="k", callback_secret=SECRET)

    with pytest.raises(Tampered):
        fleet.read_report(headers, body, NOON)


class Nowhere(Transport):
    def __init__(self) -> None:
        """Need no client: reports come in, and nothing goes out."""
