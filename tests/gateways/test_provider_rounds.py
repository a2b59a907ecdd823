"""The law of rounds: what changes tell, put on top of a first round, is what a new one shows."""

import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import msgspec
import pytest

from meetbot_calendar.calendars.changes import fingerprint
from meetbot_calendar.calendars.model import ChangePage, FetchedEvent, Grant, Provider
from meetbot_calendar.calendars.provider import CalendarProvider, CalendarRef
from meetbot_calendar.gateways.google.client import GoogleProvider
from meetbot_calendar.gateways.google.oauth import SCOPES, GoogleEndpoints
from meetbot_calendar.gateways.microsoft.client import MicrosoftProvider
from meetbot_calendar.gateways.microsoft.oauth import WANTED
from meetbot_calendar.gateways.transport import open_transport
from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.grants import Token
from meetbot_calendar.sandbox.meetings import Guest, Meeting, slot_key
from meetbot_calendar.sandbox.world import World
from tests.gateways.far_ends import ANN, BOB, EVE, NOW, WINDOW, Site, standing, whole

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULES = ("", "RRULE:FREQ=DAILY;COUNT=5", "RRULE:FREQ=WEEKLY", "RRULE:FREQ=WEEKLY;COUNT=3")
ANSWERS = ("accepted", "declined", "tentative")

State = dict[str, FetchedEvent]
Edit = Callable[[World, Meeting, random.Random], object]


class Reader(msgspec.Struct, kw_only=True):
    """Ann's primary calendar at one provider."""

    site: Site
    provider: CalendarProvider
    grant: Grant
    calendar: CalendarRef

    async def round(self, cursor: str | None = None) -> ChangePage:
        return await whole(
            self.provider.changes(self.grant, self.calendar, cursor=cursor, window=WINDOW)
        )


@pytest.fixture(params=[Provider.GOOGLE, Provider.OUTLOOK])
async def reader(request: pytest.FixtureRequest) -> AsyncIterator[Reader]:
    kind: Provider = request.param
    async with open_transport() as transport, standing(kind) as site:
        account = site.world.directory.account(str(kind), ANN)
        assert account is not None
        provider: CalendarProvider = MicrosoftProvider(
            transport, graph_url=f"{site.url}/microsoft/graph/v1.0", page_size=3
        )
        if kind is Provider.GOOGLE:
            ends = GoogleEndpoints(api_url=f"{site.url}/google/calendar/v3")
            provider = GoogleProvider(transport, ends, page_size=100)
        yield Reader(
            site=site,
            provider=provider,
            grant=a_grant(site, kind),
            calendar=CalendarRef(
                platform_id=site.world.directory.primary(account).id,
                account_id=ANN,
                is_primary=True,
            ),
        )


def a_grant(site: Site, kind: Provider) -> Grant:
    book = site.world.grants
    scopes = list(SCOPES if kind is Provider.GOOGLE else WANTED)
    token = Token(
        token="access-1",
        grant=book.allow(f"{kind}-1", f"{kind}:{ANN}", scopes).id,
        scopes=scopes,
        issued_at=NOW,
        used_at=NOW,
        expires_at=NOW + HOUR,
    )
    book.issue_access(token)
    return Grant(refresh_token="r", access_token=token.token, expires_at=NOW + HOUR)


def a_meeting(world: World, dice: random.Random) -> Meeting:
    start = NOW + timedelta(hours=dice.randrange(2, 20 * 24))
    return world.add_meeting(
        dice.choice((ANN, BOB)),
        f"Meeting {dice.randrange(1000)}",
        start,
        start + HOUR,
        "Europe/Berlin",
        attendees=[Guest(email=email) for email in (ANN, BOB, EVE)],
        recurrence=dice.choice(RULES),
    )


def a_slot(meeting: Meeting, dice: random.Random) -> str | None:
    """Name an occurrence that a series had when it was made, or the whole meeting."""
    if not meeting.recurrence or dice.random() < 0.4:
        return None
    days = 1 if "DAILY" in meeting.recurrence[0] else 7
    slot = meeting.start + DAY * days * dice.randrange(3)
    return slot_key(slot, all_day=False)


def rename(world: World, meeting: Meeting, dice: random.Random) -> object:
    return edits.edit(world, meeting.id, a_slot(meeting, dice), title=f"T{dice.randrange(1000)}")


def move(world: World, meeting: Meeting, dice: random.Random) -> object:
    start = NOW + timedelta(hours=dice.randrange(2, 40 * 24))
    return edits.move(world, meeting.id, start, start + HOUR, a_slot(meeting, dice))


def cancel(world: World, meeting: Meeting, dice: random.Random) -> object:
    return edits.cancel(world, meeting.id, a_slot(meeting, dice))


def respond(world: World, meeting: Meeting, dice: random.Random) -> object:
    said = dice.choice(ANSWERS)
    return edits.respond(world, meeting.id, ANN, said, a_slot(meeting, dice))  # type: ignore[arg-type]


def make_single(world: World, meeting: Meeting, _: random.Random) -> object:
    return edits.repeat(world, meeting.id, []) if meeting.recurrence else None


def touch(world: World, meeting: Meeting, _: random.Random) -> None:
    edits.touch(world, meeting.id)


EDITS: tuple[Edit, ...] = (rename, move, cancel, respond, make_single, touch)


def folded(state: State, page: ChangePage) -> State:
    """Put a round on top of what is known: events win over removals, truths over both."""
    gone = {each.platform_id for each in page.removed}
    kept = {
        key: event
        for key, event in state.items()
        if key not in gone and event.series_id not in gone
    }
    kept |= {event.platform_id: event for event in page.events}
    for truth in page.series:
        kept = {
            key: event
            for key, event in kept.items()
            if event.series_id != truth.series_id or key in truth.platform_ids
        }
    return kept


def shown(state: State) -> dict[str, tuple[str | None, str]]:
    return {key: (event.content.title, fingerprint(event)) for key, event in state.items()}


@pytest.mark.parametrize("seed", range(3))
async def test_rounds_add_up_to_what_a_new_listing_shows(reader: Reader, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a script of edits, not a secret
    world = reader.site.world
    meetings = [a_meeting(world, dice) for _ in range(5)]
    first = await reader.round()
    state, cursor = folded({}, first), first.cursor

    for _ in range(6):
        for _ in range(dice.randrange(1, 3)):
            dice.choice(EDITS)(world, dice.choice(meetings), dice)
        meetings += [a_meeting(world, dice)] if dice.random() < 0.3 else []
        later = await reader.round(cursor)
        state, cursor = folded(state, later), later.cursor

        listing = await reader.round()
        assert shown(state) == shown(folded({}, listing))
