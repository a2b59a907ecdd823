"""Every request of MeetStream's guides, sent to the running product, and every field compared.

What stands for something of the reader's own (keys, ids, instants to come) is replaced by it.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from httpx import Response

from meetbot_calendar.calendars.model import Provider
from tests.journeys.stage import ANN, BOB, MEET
from tests.web.house import Door, Json
from tests.web.meetstream.fitting import misfits
from tests.web.meetstream.guides import Request, read_guide
from tests.web.meetstream.posted import credentials
from tests.web.staged import Staged

CALENDAR = "/api/v1/calendar"
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_{0:04}%40thread.v2/0"
RULE = "FREQ=WEEKLY;BYDAY=MO,WE,FR"
HOUR = timedelta(hours=1)
SINGLES = 30  # with the series more than two pages of twenty


class Reader(msgspec.Struct, kw_only=True):
    """Somebody who follows a guide with an account of their own."""

    staged: Staged
    provider: Provider
    email: str
    client: Door
    user_id: str
    secrets: Json
    has_all: bool = False
    event: Json = {}
    bot_id: str = ""
    cursor: str = ""

    async def asks(self, request: Request) -> Response:
        """Prepare what the request speaks of, and send it as it is shown."""
        prepare = PREPARED.get(request.name)
        if prepare is not None:
            await prepare(self, request)
        target = request.target
        for theirs, ours in (
            ("evt_abc123", self.event.get("id", "")),
            ("{event_id}", self.event.get("id", "")),
            ("bot_111...", self.bot_id),
            ("{bot_id}", self.bot_id),
            ("eyJFdmVudElEIjogIm...", self.cursor),
        ):
            target = target.replace(theirs, ours)
        content = b"" if request.body is None else msgspec.json.encode(self.own(request.body))
        headers = dict(request.headers)
        headers["Authorization"] = headers["Authorization"].replace(
            "<YOUR_API_KEY>", self.client.key or ""
        )
        return await self.client.send(request.method, target, content, **headers)

    def own(self, body: Json) -> Json:
        """Put what is the reader's own in place of what stands for it."""
        theirs: Json = {
            "event_id": self.event.get("id"),
            "user_id": self.user_id,
            "current_start_time": self.event.get("start_time"),
            "scheduled_join_time": self.event.get("start_time"),
            **self.secrets,
        }
        return {name: theirs.get(name, value) for name, value in body.items()}

    async def get(self, path: str) -> Json:
        answer = await self.client.get(f"{CALENDAR}/{path}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def choose(self, *, recurring: bool) -> None:
        """Turn to a meeting to come, which has no bot."""
        if self.has_all:
            await self.client.post(f"{CALENDAR}/auto-schedule/disable")
            self.has_all = False
        rows = (await self.get("get_events?limit=100"))["results"]
        title = "Weekly Team Standup" if recurring else "Review"
        self.event = next(
            row
            for row in rows
            if not any(bot["is_scheduled"] for bot in row["bots"])
            and (row["raw"].get("summary") or row["raw"].get("subject")) == title
        )

    async def schedule(self, *, recurring: bool = False) -> None:
        """Have a bot for some meeting."""
        await self.choose(recurring=recurring)
        answer = await self.client.post(f"{CALENDAR}/schedule/{self.event['id']}", {})
        assert answer.status_code // 100 == 2, answer.text
        self.bot_id = answer.json()["bot_id"]


async def unconnected(reader: Reader, request: Request) -> None:
    del request
    if (await reader.get("connections"))["total"]:
        await reader.client.delete(f"{CALENDAR}/disconnect")


async def connected(reader: Reader, request: Request) -> None:
    del request
    if not (await reader.get("connections"))["total"]:
        await reader.client.post(f"{CALENDAR}/create_calendar", reader.secrets)
        await reader.staged.stage.settle()


async def listed(reader: Reader, request: Request) -> None:
    """Have a bot for every meeting, for the guide shows one; a later page needs its cursor."""
    await enabled(reader, request)
    if "cursor=" in request.target:
        reader.cursor = (await reader.get("events?limit=20"))["next"]


async def unscheduled(reader: Reader, request: Request) -> None:
    await reader.choose(recurring="recurring_event" in (request.body or {}))


async def scheduled(reader: Reader, request: Request) -> None:
    await reader.schedule(recurring=request.body is not None and "from_date" in request.body)


async def repeating(reader: Reader, request: Request) -> None:
    del request
    await reader.schedule(recurring=True)


async def enabled(reader: Reader, request: Request) -> None:
    """Let everything be scheduled, by the settings that the guide goes on to show."""
    del request
    reader.has_all = True
    body = {"bot_name": "MeetStream Auto Bot", "audio_required": True, "video_required": False}
    await reader.client.post(f"{CALENDAR}/auto-schedule/enable", {"default_bot_config": body})


PREPARED: dict[str, Callable[[Reader, Request], Awaitable[None]]] = {
    "POST create_calendar": unconnected,
    "GET calendars": connected,
    "GET events": listed,
    "GET get_events": listed,
    "POST schedule/{event_id}": unscheduled,
    "DELETE schedule/{event_id}": scheduled,
    "GET scheduled_bots": scheduled,
    "PATCH scheduled_bots/{bot_id}": scheduled,
    "DELETE scheduled_bots/{bot_id}": scheduled,
    "GET auto-schedule/settings": enabled,
    "POST toggle-recurrence": repeating,
    "POST auto-reschedule": repeating,
    "DELETE disconnect": connected,
}


async def reader_of(staged: Staged, provider: Provider, email: str) -> Reader:
    """Somebody with meetings and a key of their own, who has not connected anything yet."""
    link = MEET if provider is Provider.GOOGLE else TEAMS.format(0)
    for number in range(SINGLES):
        staged.stage.hold_meeting(
            email, "Review", (number + 2) * HOUR, link=_room(provider, number)
        )
    staged.stage.hold_meeting(
        email, "Weekly Team Standup", 30 * HOUR, link=link, recurrence=f"RRULE:{RULE}"
    )
    await staged.door.post(f"{CALENDAR}/connect/google", {"customer_user_id": "jane"})
    (user,) = (await staged.door.get("/v1/calendar/users")).json()["results"]
    return Reader(
        staged=staged,
        provider=provider,
        email=email,
        client=await staged.person_key(user["id"]),
        user_id=user["id"],
        secrets=await credentials(staged, provider, email),
    )


def _room(provider: Provider, number: int) -> str:
    if provider is Provider.GOOGLE:
        letters = "".join("abcdefghij"[int(digit)] for digit in f"{number:04}")
        return f"https://meet.google.com/abc-{letters}-xyz"
    return TEAMS.format(number + 1)


@pytest.mark.parametrize(
    ("guide", "provider", "email"),
    [("google_guide.md", Provider.GOOGLE, ANN), ("outlook_guide.md", Provider.OUTLOOK, BOB)],
)
async def test_every_request_of_the_guide_is_answered_as_it_says(
    staged: Staged, guide: str, provider: Provider, email: str
) -> None:
    shown = read_guide(guide)
    reader = await reader_of(staged, provider, email)
    wrong: list[str] = []

    for request in shown.requests:
        answer = await reader.asks(request)
        if answer.status_code not in (200, 201):
            wrong.append(f"{request.section}: {request.name}: {answer.status_code} {answer.text}")
            continue
        documented: Any = shown.answers.get(request.name, {})
        if request.name == "GET get_events":
            documented = {"results": shown.answers["GET events"]["results"]}
        wrong += [f"{request.name}: {what}" for what in misfits(documented, answer.json())]

    assert wrong == []


def test_the_guides_show_every_route_and_its_answer() -> None:
    google, outlook = read_guide("google_guide.md"), read_guide("outlook_guide.md")

    names = {request.name for request in google.requests}
    assert names == set(PREPARED) | {"POST auto-schedule/enable", "POST auto-schedule/disable"}
    assert names == {request.name for request in outlook.requests}
    assert len(google.requests) == len(outlook.requests) == 21
    undocumented = {"POST auto-schedule/disable", "POST auto-reschedule", "GET get_events"}
    assert set(google.answers) == set(outlook.answers) == names - undocumented


def test_a_field_that_is_missing_or_of_another_kind_is_found() -> None:
    documented = {"id": "evt_1", "at": "2026-04-08T14:59:00+00:00", "rows": [{"n": 1}], "x": None}

    found = [*misfits(documented, {"id": "bot_1", "at": "2026-04-08T14:59:00Z", "rows": [{}]})]

    assert found == [
        "/id is 'bot_1', not like 'evt_1'",
        "/at is '2026-04-08T14:59:00Z', not like '2026-04-08T14:59:00+00:00'",
        "/rows/0/n is missing",
        "/x is missing",
    ]
    assert [*misfits({"rows": [1], "on": True}, {"rows": [], "on": 1})] == [
        "/rows is empty",
        "/on is 1, not bool",
    ]
