"""What fleets of other makes may say of a bot, each kind read as what it means to us."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.bots.fleet import Fleet, Notice, Report
from meetbot_calendar.errors import InstallationFault, Invalid, Tampered
from meetbot_calendar.gateways.fleets.choice import open_fleet
from meetbot_calendar.gateways.fleets.line import Account
from meetbot_calendar.sandbox.fleets.quarter import MAKES
from tests.gateways.far_ends import NOW
from tests.gateways.fleet_stand import VENDORS, posted

NOBODY: Any = None  # a client that only reads asks nobody
MARKS = {"meetbot_bot_id": "bot_1", "meetbot_tenant_id": "ten_1"}


def fleet_of(name: str) -> Fleet:
    """Return a client that only reads."""
    secret = MAKES[name].secret
    account = Account(url="https://fleet.example", api_key="key-1", callback_secret=secret)
    return open_fleet(name, NOBODY, account)


def read(name: str, said: Any, now: datetime = NOW) -> Notice | None:
    heard = posted(name, said, now)
    return fleet_of(name).read_notice(heard.headers, heard.body, now)


UNKNOWN: dict[str, list[Any]] = {
    "recall": [
        {"event": "bot.dancing", "data": {"bot": {"id": "fb", "metadata": MARKS}}},
        {"event": "bot.in_waiting_room", "data": {"bot": {"id": "fb", "metadata": MARKS}}},
        {"event": "transcript.done", "data": {"bot": {"id": "fb", "metadata": MARKS}}},
        {"event": "bot.done", "data": {"bot": {"id": "fb", "metadata": {}}}},
        {"event": "calendar.update", "data": {"calendar_id": "1"}},
        {},
    ],
    "attendee": [
        {"trigger": "transcript.update", "bot_id": "fb", "bot_metadata": MARKS, "data": {}},
        {"trigger": "bot.state_change", "bot_id": "fb", "bot_metadata": None, "data": {}},
        {
            "trigger": "bot.state_change",
            "bot_id": "fb",
            "bot_metadata": MARKS,
            "data": {"new_state": "dancing", "created_at": NOW.isoformat()},
        },
        {},
    ],
    "meetstream": [
        {"event": "bot.dancing", "bot_id": "fb", "custom_attributes": MARKS},
        {"event": "transcription.processed", "bot_id": "fb", "custom_attributes": MARKS},
        {"event": "bot.done", "bot_id": "fb", "custom_attributes": {}},
        {},
    ],
    "meetingbaas": [
        {"event": "bot.dancing", "data": {"bot_id": "fb"}, "extra": MARKS},
        {
            "event": "bot.status_change",
            "data": {"bot_id": "fb", "status": {"code": "queued"}},
            "extra": MARKS,
        },
        {"event": "calendar.synced", "data": {"calendar_id": "1"}, "extra": None},
        {},
    ],
    "vexa": [
        {"event_type": "meeting.status_change", "data": {"meeting": {"status": "active"}}},
        {"event_type": "meeting.dancing", "data": {"meeting": {"id": 1, "status": "dancing"}}},
        {"event_type": "webhook.test", "data": {}},
        {},
    ],
}


@pytest.mark.parametrize(("name", "said"), [(n, s) for n, all_ in UNKNOWN.items() for s in all_])
def test_what_is_of_no_bot_of_ours_or_says_nothing_that_we_keep_is_passed_over(
    name: str, said: Any
) -> None:
    notice = read(name, said)

    assert notice is None or notice.report is None


NAMELESS: dict[str, Any] = {
    "recall": {"event": "bot.done", "data": {"bot": {"metadata": MARKS}}},
    "attendee": {"trigger": "bot.state_change", "bot_metadata": MARKS},
    "meetstream": {"event": "bot.done", "custom_attributes": MARKS},
    "meetingbaas": {"event": "bot.completed", "data": {}, "extra": MARKS},
}


@pytest.mark.parametrize(("name", "said"), NAMELESS.items())
def test_a_report_of_a_bot_without_a_name_is_malformed(name: str, said: Any) -> None:
    with pytest.raises(Invalid):
        read(name, said)


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        (
            "recall",
            {"event": "bot.fatal", "data": {"data": {"sub_code": "bot_errored"}}},
            "bot_errored",
        ),
        (
            "recall",
            {
                "event": "bot.call_ended",
                "data": {"data": {"sub_code": "timeout_exceeded_waiting_room"}},
            },
            "timeout_exceeded_waiting_room",
        ),
        (
            "attendee",
            {
                "trigger": "bot.state_change",
                "data": {
                    "new_state": "fatal_error",
                    "event_type": "could_not_join",
                    "event_sub_type": "waiting_room_timeout_exceeded",
                    "created_at": NOW.isoformat(),
                },
            },
            "waiting_room_timeout_exceeded",
        ),
        ("meetstream", {"event": "bot.stopped", "bot_event": "bot.notallowed"}, "not_admitted"),
        ("meetstream", {"event": "bot.stopped", "bot_status": "Denied"}, "denied_by_host"),
        (
            "meetingbaas",
            {"event": "bot.failed", "data": {"error_code": "WAITING_FOR_HOST_TIMEOUT"}},
            "waiting_for_host_timeout",
        ),
        (
            "vexa",
            {"data": {"meeting": {"status": "failed", "completion_reason": "evicted"}}},
            "removed_by_host",
        ),
        (
            "vexa",
            {
                "data": {
                    "meeting": {
                        "status": "completed",
                        "completion_reason": "stopped",
                        "service_provenance": {"bot_outcome": "never_admitted"},
                    }
                }
            },
            "stopped",
        ),
        (
            "vexa",
            {
                "data": {
                    "meeting": {
                        "status": "failed",
                        "data": {"completion_reason": "awaiting_admission_timeout"},
                    }
                }
            },
            "not_admitted",
        ),
    ],
)
def test_why_a_bot_failed_is_told_in_the_fleets_word_or_ours(
    name: str, said: dict[str, Any], reason: str
) -> None:
    notice = read(name, named(name, said))

    assert notice is not None
    assert notice.report == Report(kind="failed", at=NOW, reason=reason)


def named(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """Say of which bot something is said, as this fleet does."""
    data = said.get("data", {})
    if name == "recall":
        return said | {"data": data | {"bot": {"id": "fb", "metadata": MARKS}}}
    if name == "attendee":
        return said | {"bot_id": "fb", "bot_metadata": MARKS}
    if name == "meetstream":
        return said | {"bot_id": "fb", "custom_attributes": MARKS}
    if name == "meetingbaas":
        return said | {"data": data | {"bot_id": "fb"}, "extra": MARKS}
    return said | {"data": {"meeting": {"id": 7} | data["meeting"]}}


ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
    | st.sampled_from(["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", NOW.isoformat()])
)
EVENTS = ["bot.done", "bot.stopped", "bot.completed", "bot.failed", "bot.fatal", "bot.call_ended"]
STATES = ["in_call_recording", "joined_recording", "ended", "fatal_error", "completed", "active"]
CHANGES = ["bot.status_change", "bot.state_change"]
WORDS = ODD | st.sampled_from([*EVENTS, *STATES, *CHANGES])
MARKED = ODD | st.just(MARKS)
SAID = ODD | st.fixed_dictionaries(
    {
        **dict.fromkeys(("event", "trigger", "bot_event", "bot_status"), WORDS),
        **dict.fromkeys(("bot_id", "timestamp", "created_at"), ODD),
        **dict.fromkeys(("bot_metadata", "custom_attributes", "extra"), MARKED),
        "data": ODD
        | st.fixed_dictionaries(
            {
                **dict.fromkeys(("new_state", "error_code"), WORDS),
                **dict.fromkeys(("bot_id", "created_at", "exited_at", "sent_at"), ODD),
                **dict.fromkeys(("duration_seconds", "video", "transcription"), ODD),
                "bot": ODD | st.fixed_dictionaries({"id": ODD, "metadata": MARKED}),
                "data": ODD | st.fixed_dictionaries({"sub_code": ODD, "updated_at": ODD}),
                "status": ODD | st.fixed_dictionaries({"code": WORDS, "created_at": ODD}),
                "meeting": ODD
                | st.fixed_dictionaries(
                    {
                        "id": ODD,
                        "status": WORDS,
                        **dict.fromkeys(("start_time", "end_time", "completion_reason"), ODD),
                    }
                ),
            }
        ),
    }
)


@given(said=SAID, name=st.sampled_from(VENDORS))
def test_whatever_a_fleet_signs_is_read_or_refused_and_breaks_nothing(name: str, said: Any) -> None:
    try:
        notice = read(name, said)
    except (Invalid, Tampered):
        return
    assert notice is None or isinstance(notice, Notice)


@pytest.mark.parametrize("secret", ["", "whsec_!!!", "!!!"])
@pytest.mark.parametrize("name", ["recall", "attendee", "meetingbaas"])
def test_a_secret_that_cannot_be_one_is_the_operators_to_mend(name: str, secret: str) -> None:
    account = Account(url="https://fleet.example", api_key="key-1", callback_secret=secret)
    fleet = open_fleet(name, NOBODY, account)
    heard = posted(name, {}, NOW)

    with pytest.raises(InstallationFault):
        fleet.read_notice(heard.headers, heard.body, NOW)


@pytest.mark.parametrize("seconds", [-1, 1e9, "60", None, True])
def test_a_length_that_can_be_none_is_left_out(seconds: object) -> None:
    said = {"event": "bot.completed", "data": {"duration_seconds": seconds}}

    notice = read("meetingbaas", named("meetingbaas", said))

    assert notice is not None
    assert notice.report == Report(kind="completed", at=NOW)


def test_an_instant_at_the_end_of_time_is_no_instant() -> None:
    said = {"event": "bot.done", "timestamp": "9999-12-31T23:59:59-23:59"}

    notice = read("meetstream", named("meetstream", said))

    assert notice is not None
    assert notice.report == Report(kind="completed", at=NOW)
