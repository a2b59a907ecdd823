from itertools import permutations
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.bots.lifecycle import BotEvent, next_state
from meetbot_calendar.bots.model import FINAL, BotStatus

StoppedBy = Literal["person", "host"] | None

STATES: tuple[BotStatus, ...] = get_args(BotStatus)
EVENTS: tuple[BotEvent, ...] = get_args(BotEvent)
REPORTS: tuple[BotEvent, ...] = ("joined", "completed", "failed")

states = st.sampled_from(STATES)
happenings = st.lists(st.sampled_from(EVENTS), max_size=8)
stoppers: st.SearchStrategy[StoppedBy] = st.sampled_from([None, "person", "host"])


def _run(status: BotStatus, *happened: BotEvent, stopped_by: StoppedBy = None) -> BotStatus:
    for event in happened:
        status = next_state(status, stopped_by, event) or status
    return status


@pytest.mark.parametrize(
    ("happened", "status"),
    [
        (("claimed", "accepted", "joined", "completed"), "completed"),
        (("claimed", "accepted", "joined", "failed"), "failed"),
        (("claimed", "accepted", "completed"), "completed"),
        (("claimed", "accepted", "failed"), "failed"),
        (("claimed", "released"), "scheduled"),
        (("claimed", "released", "claimed", "accepted"), "dispatched"),
        (("claimed", "refused"), "failed"),
        (("claimed", "released", "missed"), "missed"),
        (("missed",), "missed"),
        (("recalled",), "cancelled"),
        (("claimed", "recalled"), "cancelled"),
        (("claimed", "accepted", "recalled"), "cancelled"),
        (("claimed", "accepted", "joined", "recalled"), "cancelled"),
    ],
)
def test_a_bot_goes_its_way(happened: tuple[BotEvent, ...], status: BotStatus) -> None:
    assert _run("scheduled", *happened) == status


def test_a_report_may_overtake_the_answer_that_took_the_bot() -> None:
    assert _run("dispatching", "joined", "accepted") == "joined"
    assert _run("dispatching", "completed", "accepted") == "completed"
    assert _run("dispatching", "failed", "accepted") == "failed"


@pytest.mark.parametrize("event", REPORTS)
def test_a_bot_that_was_never_sent_is_not_reported_on(event: BotEvent) -> None:
    assert next_state("scheduled", None, event) is None


def test_joining_late_does_not_bring_a_bot_back() -> None:
    assert next_state("completed", None, "joined") is None


@pytest.mark.parametrize("status", ["dispatched", "joined"])
def test_a_bot_that_was_sent_is_not_missed(status: BotStatus) -> None:
    assert next_state(status, None, "missed") is None


@pytest.mark.parametrize("order", list(permutations(["joined", "completed", "joined"])))
def test_the_order_of_reports_does_not_matter(order: tuple[BotEvent, ...]) -> None:
    for status in ("dispatching", "dispatched"):
        assert _run(status, *order) == "completed"


@pytest.mark.parametrize("event", ["failed", "refused", "released"])
def test_what_a_person_stopped_has_not_failed(event: BotEvent) -> None:
    assert next_state("dispatching", "person", event) == "cancelled"


def test_what_a_person_stopped_may_still_have_recorded() -> None:
    assert next_state("joined", "person", "completed") == "completed"


def test_what_a_person_stopped_is_not_sent_and_does_not_get_in() -> None:
    assert next_state("scheduled", "person", "claimed") is None
    assert next_state("dispatching", "person", "accepted") is None
    assert next_state("dispatched", "person", "joined") is None


def test_a_bot_that_the_host_removed_ends_as_its_fleet_reports() -> None:
    assert next_state("joined", "host", "failed") == "failed"
    assert next_state("joined", "host", "completed") == "completed"


@given(st.sampled_from(sorted(FINAL)), stoppers, happenings)
def test_a_final_state_is_never_left(
    status: BotStatus, stopped_by: StoppedBy, happened: list[BotEvent]
) -> None:
    assert _run(status, *happened, stopped_by=stopped_by) == status


@given(states, stoppers, st.sampled_from(EVENTS))
def test_a_new_state_is_another_state(
    status: BotStatus, stopped_by: StoppedBy, event: BotEvent
) -> None:
    assert next_state(status, stopped_by, event) != status


@given(states, stoppers, st.lists(st.sampled_from(REPORTS), max_size=8))
def test_a_repeated_report_changes_nothing(
    status: BotStatus, stopped_by: StoppedBy, reports: list[BotEvent]
) -> None:
    repeated = [report for report in reports for _ in range(2)]

    assert _run(status, *repeated, stopped_by=stopped_by) == _run(
        status, *reports, stopped_by=stopped_by
    )


@given(happenings)
def test_only_a_release_takes_a_bot_back(happened: list[BotEvent]) -> None:
    way = ["scheduled", "dispatching", "dispatched", "joined"]
    status: BotStatus = "scheduled"

    for event in happened:
        following = next_state(status, None, event)
        if following is not None and event != "released":
            assert following in FINAL or way.index(following) > way.index(status)
        status = following or status


@given(happenings, st.sampled_from(["dispatching", "dispatched"]))
def test_a_bot_that_was_sent_always_ends(happened: list[BotEvent], status: BotStatus) -> None:
    closing: tuple[BotEvent, ...] = ("claimed", "completed")

    assert _run(status, *happened, *closing) in FINAL
