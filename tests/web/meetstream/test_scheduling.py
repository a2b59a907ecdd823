"""The requests of MeetStream's guides about scheduling, and every field of their answers."""

from datetime import timedelta
from typing import Any

import pytest
from httpx import Response

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox import edits
from tests.journeys.stage import ANN, BOB, MEET
from tests.web.house import Json
from tests.web.meetstream.posted import credentials
from tests.web.staged import Staged

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
V1 = "/api/v1/calendar"
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%7d"
ENDS = [(Provider.GOOGLE, ANN, MEET, "GMeet"), (Provider.OUTLOOK, BOB, TEAMS, "Teams")]
BOT_CONFIG: Json = {
    "bot_name": "My Meeting Bot",
    "audio_required": True,
    "video_required": False,
    "bot_message": "Bot joining to record this meeting",
    "callback_url": "https://your-domain.com/webhooks/meetstream",
    "transcription": {"deepgram": {"model": "nova-3", "language": "en"}},
    "automatic_leave": {"no_one_joined_timeout": 300, "everyone_left_timeout": 60},
    "recording_config": {"video_recording": False},
}


class Client:
    """A MeetStream client: base URL, key and its own scheme of authentication."""

    def __init__(self, staged: Staged) -> None:
        self.staged = staged

    async def ask(self, method: str, path: str, body: Any = None) -> Response:
        door = self.staged.with_key(None)
        key = f"Token {self.staged.door.key}"
        return await door.ask(method, f"{V1}/{path}", body, Authorization=key)

    async def fine(self, method: str, path: str, body: Any = None) -> Json:
        answer = await self.ask(method, path, body)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Return the status and the code of a refusal, which its clients can read."""
        answer = await self.ask(method, path, body)
        problem = answer.json()
        assert problem["error"] == problem["detail"]
        assert problem["status_code"] == answer.status_code
        return answer.status_code, problem["code"]

    async def connect(self, provider: Provider, email: str, client_id: str = "own-client") -> str:
        posted = await credentials(self.staged, provider, email, client_id)
        made: Json = await self.fine("POST", "create_calendar", posted)
        return str(made["user_id"])

    async def events(self) -> list[Json]:
        listed: list[Json] = (await self.fine("GET", "events?sync=true"))["results"]
        return listed

    async def bots(self) -> list[Json]:
        listed: list[Json] = (await self.fine("GET", "scheduled_bots"))["scheduled_bots"]
        return listed


@pytest.fixture
def client(staged: Staged) -> Client:
    return Client(staged)


@pytest.mark.parametrize(("provider", "email", "link", "platform"), ENDS)
async def test_a_meeting_is_scheduled_changed_unscheduled_as_the_guides_show(
    staged: Staged, client: Client, provider: Provider, email: str, link: str, platform: str
) -> None:
    staged.stage.hold_meeting(email, "Weekly Standup", HOUR, link=link)
    user_id = await client.connect(provider, email)
    (event,) = await client.events()
    path = f"schedule/{event['id']}"

    made = await client.ask("POST", path, {"bot_config": BOT_CONFIG})
    again = await client.ask("POST", path, {"bot_config": {"video_required": False}})
    listed = await client.bots()
    (row,) = (await client.events())[0]["bots"]
    changed = await client.fine(
        "PATCH",
        f"scheduled_bots/{made.json()['bot_id']}",
        {"scheduled_join_time": "2026-11-23T12:45:00Z", "bot_username": "Updated Bot Name"},
    )
    (renamed,) = await client.bots()
    gone = await client.fine("DELETE", path)

    bot_id = made.json()["bot_id"]
    schedule = f"bot-{user_id[-8:]}-{bot_id}"
    assert (made.status_code, made.json()) == (
        201,
        {
            "scheduled": True,
            "schedule_id": schedule,
            "bot_id": bot_id,
            "schedule_group": platform.lower(),
            "event_id": event["id"],
            "scheduled_time": "2026-11-23T12:58:30Z",
            "bot_config": BOT_CONFIG,
            "is_recurring_occurrence": False,
        },
    )
    assert (again.status_code, again.json()["bot_id"]) == (409, bot_id)
    assert again.json()["code"] == "already_scheduled"
    assert listed == [
        {
            "bot_id": bot_id,
            "platform": platform,
            "status": "Scheduled",
            "scheduled_join_time": "2026-11-23T12:58:30+00:00",
            "bot_username": "My Meeting Bot",
            "meeting_link": link,
            "custom_attributes": {
                "source": "calendar_integration",
                "event_id": event["platform_id"],
                "event_summary": "Weekly Standup",
            },
            "is_scheduled": True,
            "created_at": "2026-11-23T12:00:00Z",
        }
    ]
    assert (row["id"], row["status"], row["bot_username"]) == (
        bot_id,
        "Scheduled",
        "My Meeting Bot",
    )
    assert changed == {
        "message": "Scheduled bot updated successfully",
        "bot_id": bot_id,
        "updated_fields": ["scheduled_join_time", "bot_username"],
        "schedule_updated": True,
    }
    assert (renamed["bot_username"], renamed["scheduled_join_time"]) == (
        "Updated Bot Name",
        "2026-11-23T12:45:00+00:00",
    )
    assert gone == {
        "unscheduled": True,
        "event_id": event["id"],
        "cancelled_schedules": [schedule],
        "schedules_cancelled": 1,
        "bots_deleted": 1,
        "cancel_all_occurrences": False,
        "is_recurring_series": False,
    }
    assert await client.bots() == []


async def test_the_fleet_is_sent_what_the_client_set(staged: Staged, client: Client) -> None:
    staged.stage.hold_meeting(ANN, "Kick-off", HOUR)
    await client.connect(Provider.GOOGLE, ANN)
    (event,) = await client.events()
    config = {"bot_config": {"video_required": False, "bot_name": "First"}}
    made = await client.fine("POST", f"schedule/{event['id']}", config)
    bot = f"scheduled_bots/{made['bot_id']}"

    await client.fine("PATCH", bot, {"bot_username": "Second"})
    note = await client.fine("PATCH", bot, {"custom_attributes": {"note": "VIP meeting"}})
    await staged.stage.pass_time(HOUR)

    assert (note["updated_fields"], note["schedule_updated"]) == (["custom_attributes"], False)
    (order,) = staged.stage.ordered
    assert order["bot_config"] == {
        "video_required": False,
        "bot_name": "Second",
        "custom_attributes": {"note": "VIP meeting"},
    }


async def test_a_join_time_set_by_hand_stays_until_the_meeting_moves(
    staged: Staged, client: Client
) -> None:
    held = staged.stage.hold_meeting(ANN, "Kick-off", HOUR)
    await client.connect(Provider.GOOGLE, ANN)
    (event,) = await client.events()
    made = await client.fine("POST", f"schedule/{event['id']}", {})
    bot = f"scheduled_bots/{made['bot_id']}"

    past = await client.refused("PATCH", bot, {"scheduled_join_time": "2026-11-23T11:59:00Z"})
    await client.fine("PATCH", bot, {"scheduled_join_time": "2026-11-23T14:59:00Z"})
    (late,) = await client.bots()
    nonsense = await client.refused("PATCH", bot, {"scheduled_join_time": "soon"})
    await client.fine("PATCH", bot, {"scheduled_join_time": "2026-11-23T12:50:00Z"})
    edits.edit(staged.stage.world, held.id, title="Renamed")
    await client.events()
    (renamed,) = await client.bots()
    edits.move(staged.stage.world, held.id, held.start + HOUR, held.end + HOUR)
    await client.events()
    (moved,) = await client.bots()

    assert (past, nonsense) == ((400, "join_at_out_of_range"), (400, "invalid_parameter"))
    assert late["scheduled_join_time"] == "2026-11-23T14:59:00+00:00"
    assert renamed["scheduled_join_time"] == "2026-11-23T12:50:00+00:00"
    assert renamed["custom_attributes"]["event_summary"] == "Renamed"
    assert moved["scheduled_join_time"] == "2026-11-23T13:50:00+00:00"


async def test_a_deleted_bot_is_not_made_again(staged: Staged, client: Client) -> None:
    held = staged.stage.hold_meeting(ANN, "Kick-off", HOUR)
    await client.connect(Provider.GOOGLE, ANN)
    await client.events()
    await client.fine("POST", "auto-schedule/enable", {})
    (bot,) = await client.bots()

    gone = await client.fine("DELETE", f"scheduled_bots/{bot['bot_id']}")
    edits.move(staged.stage.world, held.id, held.start + HOUR, held.end + HOUR)
    await client.events()
    await client.fine("POST", "auto-schedule/enable", {})

    assert gone == {
        "message": "Scheduled bot deleted successfully",
        "bot_id": bot["bot_id"],
    }
    assert await client.bots() == []


@pytest.mark.parametrize(("provider", "email", "link", "platform"), ENDS)
async def test_auto_scheduling_acts_at_once_and_goes_on(
    staged: Staged, client: Client, provider: Provider, email: str, link: str, platform: str
) -> None:
    config = {
        "bot_name": "MeetStream Auto Bot",
        "audio_required": True,
        "video_required": False,
    }
    staged.stage.hold_meeting(email, "Kick-off", HOUR, link=link)
    staged.stage.hold_meeting(email, "No link", 2 * HOUR, link="")
    before = await client.fine("GET", "auto-schedule/settings")
    await client.connect(provider, email)
    await client.events()

    on = await client.fine("POST", "auto-schedule/enable", {"default_bot_config": config})
    settings = await client.fine("GET", "auto-schedule/settings")
    at_once = await client.bots()
    staged.stage.hold_meeting(email, "Later", 3 * HOUR, link="https://zoom.us/j/5551112222")
    await client.events()
    later = await client.bots()
    off = await client.fine("POST", "auto-schedule/disable")

    assert before == {"auto_schedule_enabled": False, "default_bot_config": {}}
    assert on == {
        "message": "Auto-scheduling enabled successfully",
        "auto_schedule_enabled": True,
        "default_bot_config": config,
        "effects": {"scheduled": 1, "cancelled": 0, "unchanged": 0},
    }
    assert settings == {"auto_schedule_enabled": True, "default_bot_config": config}
    assert [(row["platform"], row["bot_username"]) for row in at_once] == [
        (platform, "MeetStream Auto Bot")
    ]
    assert [row["custom_attributes"]["event_summary"] for row in later] == ["Kick-off", "Later"]
    assert (off["message"], off["auto_schedule_enabled"], off["default_bot_config"]) == (
        "Auto-scheduling disabled successfully",
        False,
        config,
    )
    assert await client.bots() == []


@pytest.mark.parametrize(("provider", "email", "link", "platform"), ENDS)
async def test_a_series_is_scheduled_and_unscheduled_as_the_guides_show(
    staged: Staged, client: Client, provider: Provider, email: str, link: str, platform: str
) -> None:
    weekly = "RRULE:FREQ=WEEKLY"
    staged.stage.hold_meeting(email, "Weekly", HOUR, link=link, recurrence=weekly)
    await client.connect(provider, email)
    first, second, *_ = await client.events()

    one = await client.fine(
        "POST", f"schedule/{first['id']}", {"occurrence_date": "2026-12-07T13:00:00Z"}
    )
    every = await client.fine(
        "POST",
        f"schedule/{first['id']}",
        {"schedule_all_occurrences": True, "occurrence_limit": 6},
    )
    rest = await client.fine(
        "DELETE", f"schedule/{first['id']}", {"from_date": "2026-12-14T00:00:00Z"}
    )
    kept = [row["scheduled_join_time"] for row in await client.bots()]
    everything = await client.fine(
        "DELETE", f"schedule/{second['id']}", {"cancel_all_occurrences": True}
    )

    assert (one["is_recurring_occurrence"], one["scheduled_time"]) == (
        True,
        "2026-12-07T12:58:30Z",
    )
    assert one["event_id"] not in (first["id"], second["id"])
    assert every["scheduled_time"] == "2026-11-23T12:58:30Z"
    assert every["schedule_group"] == platform.lower()
    assert every["occurrences_scheduled"] == len(every["occurrences"]) == 4
    assert every["occurrences"][0] == {
        "event_id": first["id"],
        "bot_id": every["bot_id"],
        "schedule_id": every["schedule_id"],
        "scheduled_time": "2026-11-23T12:58:30Z",
        "start_time": "2026-11-23T13:00:00Z",
    }
    assert every["occurrences_ahead"] == ["2026-12-28T13:00:00Z"]
    assert (rest["schedules_cancelled"], rest["bots_deleted"]) == (2, 2)
    assert (rest["cancel_all_occurrences"], rest["is_recurring_series"]) == (False, True)
    assert kept == [f"2026-{day}T12:58:30+00:00" for day in ("11-23", "11-30", "12-07")]
    assert (everything["cancel_all_occurrences"], everything["schedules_cancelled"]) == (True, 3)
    assert await client.bots() == []


@pytest.mark.parametrize(("provider", "email", "link", "platform"), ENDS)
async def test_recurrence_is_toggled_and_carried_on_as_the_guides_show(
    staged: Staged, client: Client, provider: Provider, email: str, link: str, platform: str
) -> None:
    rule = "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR"
    staged.stage.hold_meeting(email, "Weekly Team Standup", HOUR, link=link, recurrence=rule)
    user_id = await client.connect(provider, email)
    first, *_ = await client.events()
    body = {"bot_config": {"video_required": False}, "recurring_event": True}

    await client.fine("POST", f"schedule/{first['id']}", body)
    on = await client.fine(
        "POST", "toggle-recurrence", {"event_id": first["id"], "recurring_enabled": True}
    )
    await staged.stage.pass_time(HOUR + timedelta(minutes=30))
    followed = await client.bots()
    following = await client.fine(
        "POST",
        "auto-reschedule",
        {
            "user_id": user_id,
            "event_id": first["id"],
            "recurrence_rule": "FREQ=WEEKLY;BYDAY=MO,WE,FR",
            "current_start_time": "2026-11-25T13:00:00Z",
            "bot_config": {"video_required": False},
            "meeting_link": link,
        },
    )
    off = await client.fine(
        "POST", "toggle-recurrence", {"event_id": first["id"], "recurring_enabled": False}
    )

    assert on == {
        "event_id": first["id"],
        "recurring_enabled": True,
        "recurrence_rule": "FREQ=WEEKLY;BYDAY=MO,WE,FR",
        "message": "Recurrence enabled for event",
        "summary": "Weekly Team Standup",
        "start_time": "2026-11-23T13:00:00Z",
        "end_time": "2026-11-23T13:30:00Z",
    }
    assert [row["scheduled_join_time"] for row in followed] == ["2026-11-25T12:58:30+00:00"]
    assert (following["scheduled"], following["scheduled_time"]) == (True, "2026-11-27T12:58:30Z")
    assert (following["schedule_group"], following["bot_config"]) == (
        platform.lower(),
        {"video_required": False},
    )
    assert (off["recurring_enabled"], off["message"]) == (False, "Recurrence disabled for event")


async def test_each_documented_refusal(staged: Staged, client: Client) -> None:
    staged.stage.hold_meeting(ANN, "Over", -2 * HOUR)
    staged.stage.hold_meeting(ANN, "No link", 2 * HOUR, link="")
    single = staged.stage.hold_meeting(ANN, "Single", 3 * HOUR)
    nobody = await client.refused("POST", "auto-schedule/enable", {})
    user_id = await client.connect(Provider.GOOGLE, ANN)
    over, no_link, event = await client.events()
    assert event["platform_id"] == single.id
    reschedule = {
        "user_id": user_id,
        "event_id": event["id"],
        "current_start_time": "2026-11-23T13:00:00Z",
    }
    toggle = {"event_id": event["id"], "recurring_enabled": True}
    path = f"schedule/{event['id']}"

    assert nobody == (404, "no_calendar_user")
    for refusal, method, where, body in (
        ((400, "ended"), "POST", f"schedule/{over['id']}", {}),
        ((400, "no_meeting_link"), "POST", f"schedule/{no_link['id']}", {}),
        ((400, "not_recurring"), "POST", path, {"schedule_all_occurrences": True}),
        ((400, "not_recurring"), "POST", path, {"recurring_event": True}),
        ((400, "not_recurring"), "POST", path, {"occurrence_date": "2026-11-30"}),
        ((422, "invalid"), "POST", path, {"occurrence_limit": 0}),
        ((422, "invalid"), "POST", path, {"bot_confg": {}}),
        ((404, "not_found"), "POST", "schedule/evt_nowhere", {}),
        ((404, "not_found"), "DELETE", "schedule/evt_nowhere", None),
        ((400, "invalid_parameter"), "DELETE", path, {"from_date": "one day"}),
        ((404, "not_found"), "PATCH", "scheduled_bots/bot_nowhere", {}),
        ((404, "not_found"), "DELETE", "scheduled_bots/bot_nowhere", None),
        ((400, "invalid_parameter"), "GET", "scheduled_bots?limit=101", None),
        ((400, "not_recurring"), "POST", "toggle-recurrence", toggle),
        ((400, "not_recurring"), "POST", "auto-reschedule", reschedule),
        ((404, "not_found"), "POST", "auto-reschedule", reschedule | {"user_id": "usr_abc123"}),
        ((404, "not_found"), "POST", "toggle-recurrence", toggle | {"event_id": "evt_nowhere"}),
    ):
        assert await client.refused(method, where, body) == refusal, (method, where, body)
    assert await client.bots() == []


async def test_a_room_that_opted_out_is_a_conflict(staged: Staged, client: Client) -> None:
    staged.stage.hold_meeting(ANN, "Secret", HOUR)
    await client.connect(Provider.GOOGLE, ANN)
    (event,) = await client.events()
    await staged.door.patch("/v1/tenant", {"opt_out": {"rooms": [MEET]}})

    assert await client.refused("POST", f"schedule/{event['id']}", {}) == (409, "opted_out")


async def test_what_is_done_by_hand_is_written_down(staged: Staged, client: Client) -> None:
    staged.stage.hold_meeting(ANN, "Daily", HOUR, recurrence="RRULE:FREQ=DAILY;COUNT=3")
    await client.connect(Provider.GOOGLE, ANN)
    first, *_ = await client.events()
    made = await client.fine("POST", f"schedule/{first['id']}", {})
    await client.fine("PATCH", f"scheduled_bots/{made['bot_id']}", {"bot_username": "Eve"})
    await client.fine("DELETE", f"scheduled_bots/{made['bot_id']}")
    await client.fine("DELETE", f"schedule/{first['id']}")
    toggle = {"event_id": first["id"], "recurring_enabled": True}
    await client.fine("POST", "toggle-recurrence", toggle)
    await client.fine("POST", "auto-schedule/enable", {})
    await client.fine("POST", "auto-schedule/disable")

    log = (await staged.door.get("/v1/audit-log")).json()["results"]

    done = [row["action"] for row in log if not row["action"].startswith(("calendar.", "api_key"))]
    assert {
        "event.scheduled",
        "bot.changed",
        "bot.cancelled",
        "event.unscheduled",
        "series.followed",
        "auto_schedule.enabled",
        "auto_schedule.disabled",
    } <= set(done)


async def test_one_persons_bots_are_no_other_persons(staged: Staged, client: Client) -> None:
    staged.stage.hold_meeting(ANN, "Kick-off", HOUR)
    ann = await client.connect(Provider.GOOGLE, ANN)
    (event,) = await client.events()
    made = await client.fine("POST", f"schedule/{event['id']}", {})
    bob = (await staged.stage.connect(Provider.OUTLOOK, BOB, customer_user_id="bob")).user_id
    his, hers = await staged.person_key(bob), await staged.person_key(ann)

    answers = [
        await his.post(f"{V1}/schedule/{event['id']}", {}),
        await his.delete(f"{V1}/schedule/{event['id']}"),
        await his.patch(f"{V1}/scheduled_bots/{made['bot_id']}", {}),
        await his.delete(f"{V1}/scheduled_bots/{made['bot_id']}"),
        await staged.door.delete(f"{V1}/scheduled_bots/{made['bot_id']}?user_id={bob}"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert (await his.get(f"{V1}/scheduled_bots")).json() == {"scheduled_bots": []}
    assert len((await hers.get(f"{V1}/scheduled_bots")).json()["scheduled_bots"]) == 1


async def test_two_accounts_of_one_person_share_auto_scheduling_and_its_one_bot(
    staged: Staged, client: Client
) -> None:
    staged.stage.hold_meeting(ANN, "Together", HOUR, BOB)
    staged.stage.hold_meeting(BOB, "His own", 2 * HOUR, link="https://zoom.us/j/5551112222")
    await client.connect(Provider.GOOGLE, ANN)
    await client.connect(Provider.OUTLOOK, BOB)

    await client.fine("POST", "auto-schedule/enable", {})

    assert len(await client.events()) == 3
    found = [row["custom_attributes"]["event_summary"] for row in await client.bots()]
    assert found == ["Together", "His own"]
