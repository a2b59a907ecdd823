"""events.list: filters, partial answers and refusals (providers.md 2.2)."""

from typing import Any

import pytest

from meetbot_calendar.sandbox.meetings import Guest
from meetbot_calendar.sandbox.samples import insert_raw
from tests.sandbox.site import ANN, BOB, Site, berlin, ids

BERLIN = "Europe/Berlin"


def hold(site: Site, day: int, hour: int = 10, **facts: Any) -> str:
    """Ann holds an hour's meeting; return its id."""
    facts = {"title": f"On {day}"} | facts
    start, end = berlin(day, hour), berlin(day, hour + 1)
    return site.world.add_meeting(ANN, facts.pop("title"), start, end, BERLIN, **facts).id


def raw(site: Site, **event: Any) -> str:
    """Put a row into Ann's calendar as it is; return its id."""
    calendar = site.world.state.calendars[ANN]
    return insert_raw(site.world, calendar, event).id


async def test_event_types_text_uid_and_properties_filter(site: Site) -> None:
    plain = hold(site, 23, title="Quarterly plan")
    focus = raw(site, eventType="focusTime", extendedProperties={"private": {"k": "v"}})
    reader = await site.reader()

    assert ids(await reader.events(eventTypes="default")) == [plain]
    assert ids(await reader.events(eventTypes=["default", "focusTime"])) == [plain, focus]
    assert ids(await reader.events(q="quarterly")) == [plain]
    assert ids(await reader.events(iCalUID=f"{plain}@google.com")) == [plain]
    assert ids(await reader.events(privateExtendedProperty="k=v")) == [focus]


async def test_too_many_attendees_leave_only_me(site: Site) -> None:
    hold(site, 23, attendees=[Guest(email=BOB), Guest(email="c@c.test")])
    reader = await site.reader(BOB)

    event = (await reader.events(maxAttendees=2))["items"][0]

    assert [row["email"] for row in event["attendees"]] == [BOB]
    assert event["attendeesOmitted"] is True


async def test_fields_cut_the_answer_down(site: Site) -> None:
    made = hold(site, 23)
    reader = await site.reader()

    body = await reader.events(fields="items(id,start/timeZone),nextSyncToken")

    assert body["items"] == [{"id": made, "start": {"timeZone": BERLIN}}]
    assert sorted(body) == ["items", "nextSyncToken"]
    assert await reader.refused(fields="items(id)!") == (400, "invalid")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"timeMin": "2026-11-23T00:00:00"}, "invalid"),
        ({"timeMin": "2026-11-23"}, "invalid"),
        ({"timeMax": "never"}, "invalid"),
        (
            {"timeMin": "2026-11-24T00:00:00Z", "timeMax": "2026-11-23T00:00:00Z"},
            "timeRangeEmpty",
        ),
        ({"maxResults": "none"}, "invalid"),
        ({"maxResults": "0"}, "invalid"),
        ({"singleEvents": "yes"}, "invalid"),
        ({"orderBy": "size"}, "invalid"),
        ({"eventTypes": "party"}, "invalid"),
        ({"timeZone": "Europe/Nowhere"}, "invalid"),
        ({"quotaUser": "u" * 41}, "invalid"),
    ],
)
async def test_a_wrong_parameter_is_refused(
    site: Site, params: dict[str, str], reason: str
) -> None:
    reader = await site.reader()

    assert await reader.refused(**params) == (400, reason)


async def test_recorded_rows_are_shown_as_they_are_however_odd(site: Site) -> None:
    odd = {"summary": "?", "start": {"date": "not-a-date"}, "recurrence": ["RRULE:FREQ=NEVER"]}
    made = raw(site, **odd)
    bare = raw(site)
    reader = await site.reader()

    body = await reader.events(singleEvents="true", timeMin="2026-11-01T00:00:00Z")

    assert ids(body) == [made, bare]
    assert {name: body["items"][0][name] for name in odd} == odd
    assert "status" not in body["items"][1]
