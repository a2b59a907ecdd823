"""Meetings and their copies: who has one, where, and under which uid."""

from typing import Any

import pytest

from meetbot_calendar.sandbox import edits, uids
from meetbot_calendar.sandbox.google.rows import write_copy
from meetbot_calendar.sandbox.meetings import Guest, Meeting
from meetbot_calendar.sandbox.store import Row
from meetbot_calendar.sandbox.world import World
from tests.sandbox.site import ANN, BOB, NOW, StillClock, berlin, populate

OLIVE = "olive@contoso.test"
BERLIN = "Europe/Berlin"
SECOND = "20261130T090000Z"
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=3"


@pytest.fixture
def held() -> World:
    """A world with Ann and Bob at Google, and Olive at Outlook, whose rows nobody writes."""
    world = World(StillClock())
    populate(world)
    world.directory.add_account("outlook", OLIVE, "Olive")
    world.writers["google"] = write_copy
    return world


def hold(world: World, organizer: str = ANN, **facts: Any) -> Meeting:
    return world.add_meeting(organizer, "Plan", berlin(23, 10), berlin(23, 11), BERLIN, **facts)


def live(world: World, calendar: str) -> list[Row]:
    return [row for row in world.state.calendars[calendar].rows.values() if not row.removed]


def test_every_known_participant_has_a_copy_of_the_same_uid(held: World) -> None:
    meeting = hold(held, attendees=[Guest(email=BOB), Guest(email="unknown@x.test")])

    found = {row.body["iCalUID"] for who in (ANN, BOB) for row in live(held, who)}

    assert found == {f"{meeting.id}@google.com"}
    assert meeting.calendars == {f"google:{ANN}": ANN, f"google:{BOB}": BOB}


def test_a_meeting_from_outlook_has_its_global_object_id_at_google(held: World) -> None:
    meeting = hold(held, OLIVE, attendees=[Guest(email=BOB)])

    (row,) = live(held, BOB)

    assert uids.is_global_object_id(meeting.uid)
    assert row.id.startswith("_")
    assert (row.body["iCalUID"], row.body["organizer"]["email"]) == (meeting.uid, OLIVE)


def test_a_stranger_may_invite(held: World) -> None:
    hold(held, "ceo@client.test", attendees=[(BOB, "none", False, False)])

    (row,) = live(held, BOB)

    assert row.body["organizer"] == {"email": "ceo@client.test", "displayName": "Ceo"}
    answers = {each["email"]: each["responseStatus"] for each in row.body["attendees"]}
    assert answers == {"ceo@client.test": "accepted", BOB: "needsAction"}


def test_a_group_calendar_organises_in_its_own_name(held: World) -> None:
    ann = held.directory.account("google", ANN)
    assert ann
    team = held.directory.add_calendar(ann, "Team")

    hold(held, attendees=[Guest(email=BOB)], calendar=team.id)

    (own,) = live(held, team.id)
    (his,) = live(held, BOB)
    organizer = {"email": team.id, "displayName": "Team"}
    assert own.body["organizer"] == organizer | {"self": True}
    assert own.body["creator"] == {"email": ANN, "self": True}
    assert his.body["organizer"] == organizer
    assert live(held, ANN) == []


def test_an_edit_that_changes_nothing_writes_nothing(held: World) -> None:
    meeting = hold(held)
    before = held.state.calendars[ANN].change

    edits.edit(held, meeting.id, title="Plan")

    assert held.state.calendars[ANN].change == before


def test_a_touch_counts_as_a_change_and_changes_nothing(held: World) -> None:
    meeting = hold(held)
    before = dict(live(held, ANN)[0].body)

    edits.touch(held, meeting.id)

    (row,) = live(held, ANN)
    assert (row.body, row.change) == (before, 2)


def test_a_guest_who_deletes_his_copy_leaves_the_others_theirs(held: World) -> None:
    meeting = hold(held, attendees=[Guest(email=BOB)])
    bob = held.directory.account("google", BOB)
    assert bob

    edits.delete_copy(held, meeting.id, bob)

    assert (len(live(held, ANN)), len(live(held, BOB))) == (1, 0)


def test_a_cancelled_meeting_is_gone_everywhere_with_its_exceptions(held: World) -> None:
    meeting = hold(held, attendees=[Guest(email=BOB)], recurrence=WEEKLY)
    edits.move(held, meeting.id, berlin(30, 15), berlin(30, 16), SECOND)

    edits.cancel(held, meeting.id)

    assert (live(held, ANN), live(held, BOB)) == ([], [])


def test_somebody_invited_later_gets_a_copy_later(held: World) -> None:
    meeting = hold(held)

    edits.invite(held, meeting.id, Guest(email=BOB))

    assert [row.body["iCalUID"] for row in live(held, BOB)] == [meeting.uid]


def test_moving_a_series_drops_the_exceptions_to_slots_that_it_lost(held: World) -> None:
    meeting = hold(held, recurrence=WEEKLY)
    edits.change_link(held, meeting.id, "https://meet.google.com/aaa-bbbb-ccc", SECOND)

    edits.move(held, meeting.id, berlin(23, 15), berlin(23, 16))

    assert meeting.changes == {}
    assert [row.id for row in live(held, ANN)] == [meeting.id]


def test_changing_only_the_length_of_a_series_keeps_its_exceptions(held: World) -> None:
    meeting = hold(held, recurrence=WEEKLY)
    edits.cancel(held, meeting.id, SECOND)

    edits.move(held, meeting.id, berlin(23, 10), berlin(23, 12))

    assert list(meeting.changes) == [SECOND]


def test_the_link_stands_where_its_maker_would_put_it(held: World) -> None:
    zoom = "https://zoom.us/j/123"
    auto = hold(held, link=zoom, location="Room 4")
    text = hold(held, link=zoom, link_place="description", description="Agenda")
    addon = hold(held, link=zoom, link_place="conference")

    rows = held.state.calendars[ANN].rows
    assert rows[auto.id].body["location"] == f"Room 4, {zoom}"
    assert rows[text.id].body["description"] == f"Agenda\n\n{zoom}"
    conference = rows[addon.id].body["conferenceData"]
    assert conference["entryPoints"][0]["uri"] == zoom
    assert conference["conferenceSolution"]["key"] == {"type": "addOn"}
    assert "hangoutLink" not in rows[addon.id].body


def test_an_occurrence_may_lose_its_link_alone(held: World) -> None:
    meeting = hold(held, link="https://meet.google.com/aaa-bbbb-ccc", recurrence=WEEKLY)

    edits.change_link(held, meeting.id, "", SECOND)

    rows = held.state.calendars[ANN].rows
    assert "hangoutLink" in rows[meeting.id].body
    assert "hangoutLink" not in rows[f"{meeting.id}_{SECOND}"].body


def test_an_all_day_meeting_has_dates(held: World) -> None:
    meeting = held.add_meeting(
        ANN, "Fair", berlin(23, 0), berlin(25, 0), BERLIN, all_day=True, recurrence=WEEKLY
    )
    edits.cancel(held, meeting.id, "20261130")

    rows = held.state.calendars[ANN].rows
    assert rows[meeting.id].body["start"] == {"date": "2026-11-23"}
    assert rows[meeting.id].body["end"] == {"date": "2026-11-25"}
    cancelled = rows[f"{meeting.id}_20261130"].body
    assert cancelled["originalStartTime"] == {"date": "2026-11-30"}


@pytest.mark.parametrize(
    ("slot", "facts"), [(None, {"colour": "red"}), (SECOND, {"visibility": "private"})]
)
def test_an_unknown_field_is_refused(held: World, slot: str | None, facts: Any) -> None:
    meeting = hold(held, recurrence=WEEKLY)

    with pytest.raises(ValueError, match="has no"):
        edits.edit(held, meeting.id, slot, **facts)


def test_only_the_invited_can_answer(held: World) -> None:
    meeting = hold(held)

    with pytest.raises(ValueError, match="not invited"):
        edits.respond(held, meeting.id, BOB, "accepted")


def test_a_wrapped_uid_and_an_instance_date_are_those_of_exchange() -> None:
    wrapped = uids.wrapped("abc@google.com")
    goid = uids.new_global_object_id(NOW)

    dated = uids.for_instance(goid, NOW.date())

    assert bytes.fromhex(wrapped[80:]) == b"vCal-Uid\x01\x00\x00\x00abc@google.com\x00"
    assert int.from_bytes(bytes.fromhex(wrapped[72:80]), "little") == len(wrapped[80:]) // 2
    assert (goid[32:40], dated[32:40]) == ("00000000", "07EA0B14")
    assert dated[:32] + dated[40:] == goid[:32] + goid[40:]
