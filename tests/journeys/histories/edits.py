"""What people do to their meetings and calendars."""

from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.meetings import Guest
from meetbot_calendar.sandbox.store import Role
from tests.journeys.histories.story import CY, DAY, DEE, HOUR, Story
from tests.journeys.stage import ANN, BOB, MEET

ZOOM = "https://us02web.zoom.us/j/81234567890?pwd=abc"
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=y"
LINKS = (MEET, ZOOM, TEAMS, "")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Lord_Howe")
RULES = (
    "",
    "",
    "RRULE:FREQ=DAILY;COUNT=4",
    "RRULE:FREQ=WEEKLY;BYDAY={day}",
    "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY={day};WKST=SU",
    "RRULE:FREQ=DAILY;INTERVAL=3",
)
PEOPLE = (ANN, BOB, CY, DEE)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


async def hold(story: Story) -> None:
    """Hold a meeting: single or series, timed or whole days, with guests or alone."""
    dice = story.dice
    organizer = dice.choice(PEOPLE)
    others = [email for email in PEOPLE if email != organizer]
    guests = dice.sample(others, dice.randint(0, 3))
    zone = dice.choice(ZONES)
    all_day = dice.random() < 0.15
    start = _start(story, zone)
    rule = dice.choice(RULES).format(day=_DAYS[start.weekday()])
    lasts = timedelta(minutes=dice.choice((15, 30, 60))) if not all_day else DAY
    facts = {"visibility": "private"} if dice.random() < 0.15 else {}
    story.held.append(
        story.world.add_meeting(
            organizer,
            f"M{len(story.held)}",
            start,
            start + lasts,
            zone,
            attendees=[Guest(email=email) for email in guests],
            recurrence=rule,
            all_day=all_day,
            link=dice.choice(LINKS),
            calendar=_whose_calendar(story, organizer),
            guests_hidden=dice.random() < 0.1,
            **facts,
        )
    )


def _start(story: Story, zone: str) -> datetime:
    """Choose a wall-clock time in a zone: soon, or some day, now and then in a clock change."""
    ahead = story.dice.choice(
        (timedelta(minutes=story.dice.randint(0, 200)), story.dice.randint(0, 27) * DAY)
    )
    local = (story.stage.now + ahead).astimezone(ZoneInfo(zone)).replace(microsecond=0)
    if story.dice.random() < 0.2:
        local = local.replace(hour=2, minute=30, second=0)
    return local.replace(tzinfo=None)


def _whose_calendar(story: Story, organizer: str) -> str:
    """Name a secondary calendar of the organiser's, now and then, where there is one."""
    owner = story.world.organizer(organizer)
    own = [c for c in story.calendars_of(owner) if not c.primary]
    return story.dice.choice(own).id if own and story.dice.random() < 0.5 else ""


async def move(story: Story) -> None:
    """Move a meeting, a series or one occurrence; now and then into the past, or far ahead."""
    if meeting := story.meeting():
        by = story.dice.choice(
            (timedelta(minutes=11), -HOUR, DAY, -2 * DAY, 9 * DAY, timedelta(days=40))
        )
        slot = story.slot(meeting)
        start, end = meeting.occurrence(slot) if slot else (meeting.start, meeting.end)
        with suppress(ValueError):
            edits.move(story.world, meeting.id, start + by, end + by, slot)


async def cancel(story: Story) -> None:
    if meeting := story.meeting():
        edits.cancel(story.world, meeting.id, story.slot(meeting))


async def rename(story: Story) -> None:
    if meeting := story.meeting():
        title = f"T{story.dice.randint(0, 99)}"
        edits.edit(story.world, meeting.id, story.slot(meeting), title=title)


async def relink(story: Story) -> None:
    if meeting := story.meeting():
        link = story.dice.choice(LINKS)
        edits.change_link(story.world, meeting.id, link, story.slot(meeting))


async def answer(story: Story) -> None:
    """Let a guest answer, to everything or to one occurrence."""
    meeting = story.meeting()
    if meeting and meeting.guests:
        guest = story.dice.choice(meeting.guests)
        said = story.dice.choice(("declined", "declined", "accepted", "tentative"))
        edits.respond(story.world, meeting.id, guest.email, said, story.slot(meeting))  # type: ignore[arg-type]


async def split(story: Story) -> None:
    """Edit "this and following"."""
    meeting = story.meeting()
    if meeting is None or not meeting.recurrence or meeting.cancelled:
        return
    slot = story.slot(meeting)
    if slot is not None and not meeting.all_day and meeting.occurrence(slot)[0] > meeting.start:
        with suppress(ValueError):
            title = f"S{story.dice.randint(0, 99)}"
            story.held.append(edits.split(story.world, meeting.id, slot, title=title))


async def repeat(story: Story) -> None:
    """Make a single meeting a series, or give a series another rule, or none."""
    if meeting := story.meeting():
        local = meeting.start.astimezone(ZoneInfo("UTC" if meeting.all_day else meeting.zone))
        rule = story.dice.choice(RULES).format(day=_DAYS[local.weekday()])
        edits.repeat(story.world, meeting.id, [rule] if rule else [])


async def invite(story: Story) -> None:
    meeting = story.meeting()
    email = story.dice.choice(PEOPLE)
    if meeting and email != meeting.organizer and meeting.guest(email) is None:
        edits.invite(story.world, meeting.id, Guest(email=email))


async def uninvite(story: Story) -> None:
    if (meeting := story.meeting()) and meeting.guests:
        kept = [g for g in meeting.guests if g is not story.dice.choice(meeting.guests)]
        edits.edit(story.world, meeting.id, guests=kept)


async def throw_away(story: Story) -> None:
    """Let somebody delete their own copy."""
    if meeting := story.meeting():
        account = story.dice.choice(story.world.participants(meeting))
        edits.delete_copy(story.world, meeting.id, account)


async def hide(story: Story) -> None:
    """Make a meeting private, or public again."""
    if meeting := story.meeting():
        seen = story.dice.choice(("private", "default"))
        edits.edit(story.world, meeting.id, visibility=seen)


async def touch(story: Story) -> None:
    """Count a meeting as changed though nothing of it is different."""
    if meeting := story.meeting():
        edits.touch(story.world, meeting.id)


async def open_calendar(story: Story) -> None:
    """Make a calendar: one's own, or another's that is shared in."""
    provider, email = story.person()
    if len(story.entries(story.account(provider, email))) > 5:
        return
    theirs = story.dice.random() < 0.5
    owner = story.stranger(provider) if theirs else story.account(provider, email)
    made = story.world.directory.add_calendar(owner, f"C{story.dice.randint(0, 999)}")
    if theirs:
        role = story.dice.choice(_roles(provider))
        story.world.directory.share(made, story.account(provider, email), role)


def _roles(provider: Provider) -> tuple[Role, ...]:
    """Return what may be seen. Graph v1.0 lists calendars that show only who is busy as any other.

    So a change to or from that is not to be seen there before the window is read anew.
    """
    if provider is Provider.OUTLOOK:
        return ("reader", "writer")
    return ("reader", "writer", "freeBusyReader")


async def share(story: Story) -> None:
    """Share a stranger's calendar, in another role than before, or no more."""
    provider, email = story.person()
    calendar = story.dice.choice(story.calendars_of(story.stranger(provider)))
    role = story.dice.choice((*_roles(provider), None))
    me = story.account(provider, email)
    if role is None:
        story.world.directory.unshare(calendar, me)
    else:
        story.world.directory.share(calendar, me, role)


async def close_calendar(story: Story) -> None:
    """Delete a calendar that is not somebody's first, for everyone."""
    provider, email = story.person()
    owner = story.dice.choice([story.account(provider, email), story.stranger(provider)])
    spare = [c for c in story.calendars_of(owner) if not c.primary]
    if spare:
        story.world.directory.remove_calendar(story.dice.choice(spare))
