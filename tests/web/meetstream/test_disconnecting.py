"""Disconnecting accounts, as a MeetStream client does it."""

import asyncio
from datetime import timedelta

import pytest

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.calendars.model import Provider
from tests.journeys.stage import ANN, BOB
from tests.web.house import Json
from tests.web.meetstream.posted import ACCOUNTS
from tests.web.staged import Staged

HOUR = timedelta(hours=1)
DISCONNECT = "/v1/calendar/disconnect"
STOPPED = {
    Provider.GOOGLE: "watch_channel_stopped",
    Provider.OUTLOOK: "subscription_stopped",
}
both = pytest.mark.parametrize(("provider", "email"), ACCOUNTS)


def path_of(provider: str, email: str) -> str:
    return f"/v1/calendar/connections/{provider}/{email.replace('@', '%40')}"


async def onboarded(staged: Staged, provider: Provider, email: str) -> str:
    """A person with a meeting that was recorded, and one that is to be."""
    staged.stage.hold_meeting(email, "Done", timedelta(minutes=2), lasts=timedelta(minutes=5))
    staged.stage.hold_meeting(email, "Later", 5 * HOUR)
    user_id: str = await staged.stage.onboard(provider, email)
    for passed in (timedelta(minutes=1), timedelta(minutes=10), HOUR):
        await staged.stage.pass_time(passed)
    await staged.stage.fleet_reports()
    return user_id


async def by_start(staged: Staged) -> list[Bot]:
    return sorted(await staged.stage.bots(), key=lambda bot: bot.start)


@both
async def test_an_account_goes_with_its_events_and_its_scheduled_bots(
    staged: Staged, provider: Provider, email: str
) -> None:
    user_id = await onboarded(staged, provider, email)
    before = [bot.status for bot in await by_start(staged)]

    gone = await staged.door.delete(path_of(provider, email))
    again = await staged.door.delete(path_of(provider, email))

    bots = await by_start(staged)
    assert gone.status_code == 200
    assert gone.json() == {
        "disconnected": True,
        "user_id": user_id,
        "provider": provider,
        "account_id": email,
        STOPPED[provider]: True,
        "events_deleted": 2,
        "schedules_cancelled": 1,
        "message": "Calendar disconnected successfully."
        " All events and scheduled bots have been removed.",
    }
    assert again.status_code == 404
    assert (before, bots[0].status) == (["completed", "scheduled"], "completed")
    assert (bots[1].status, bots[1].reason) == ("cancelled", "calendar_disconnected")
    assert await staged.stage.events() == []


@both
async def test_events_stay_where_they_are_not_to_be_purged(
    staged: Staged, provider: Provider, email: str
) -> None:
    await onboarded(staged, provider, email)

    gone = await staged.door.delete(f"{path_of(provider, email)}?purge_events=false")

    listed = (await staged.door.get("/v1/calendar/get_events")).json()["results"]
    assert (gone.json()["events_deleted"], gone.json()["schedules_cancelled"]) == (0, 1)
    assert [row["account_id"] for row in listed] == [email, email]
    assert [bot["status"] for bot in listed[1]["bots"]] == ["Cancelled"]


def asked_of(event_id: str, user_id: str) -> list[tuple[str, str, Json | None]]:
    """Everything that a client can ask for a recurring event."""
    return [
        ("POST", f"schedule/{event_id}", {}),
        ("POST", f"schedule/{event_id}", {"schedule_all_occurrences": True}),
        ("POST", f"schedule/{event_id}", {"occurrence_date": "2027-02-01"}),
        ("POST", "toggle-recurrence", {"event_id": event_id, "recurring_enabled": True}),
        (
            "POST",
            "auto-reschedule",
            {
                "user_id": user_id,
                "event_id": event_id,
                "current_start_time": "2026-11-23T13:00:00Z",
            },
        ),
    ]


@both
@pytest.mark.parametrize(("purge", "status"), [("true", 404), ("false", 400)])
async def test_nothing_is_scheduled_for_an_account_that_is_gone(
    staged: Staged, provider: Provider, email: str, purge: str, status: int
) -> None:
    staged.stage.hold_meeting(email, "Weekly", HOUR, recurrence="RRULE:FREQ=WEEKLY")
    user_id = await staged.stage.onboard(provider, email)
    event, *_ = await staged.stage.events()

    await staged.door.delete(f"{path_of(provider, email)}?purge_events={purge}")
    answers = [
        await staged.door.ask(method, f"/v1/calendar/{path}", body)
        for method, path, body in asked_of(event.id, user_id)
    ]

    code = "not_found" if status == 404 else "calendar_disconnected"
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(status, code)] * 5


@both
async def test_what_was_scheduled_by_hand_goes_for_good_with_the_events(
    staged: Staged, provider: Provider, email: str
) -> None:
    weekly, room = "RRULE:FREQ=WEEKLY", "https://zoom.us/j/5551112222"
    staged.stage.hold_meeting(email, "Single", HOUR)
    staged.stage.hold_meeting(email, "Weekly", 2 * HOUR, recurrence=weekly, link=room)
    await staged.stage.connect(provider, email)
    await staged.stage.settle()
    single, first, *_ = await staged.stage.events()
    await staged.door.post(f"/v1/calendar/schedule/{single.id}", {})
    whole = {"schedule_all_occurrences": True, "recurring_event": True}
    await staged.door.post(f"/v1/calendar/schedule/{first.id}", whole)
    before = {bot.status for bot in await staged.stage.bots()}

    await staged.door.delete(path_of(provider, email))
    await staged.stage.settle()
    await staged.stage.connect(provider, email)
    await staged.stage.pass_time(3 * HOUR)

    listed = (await staged.door.get("/v1/calendar/scheduled_bots")).json()
    assert before == {"scheduled"}
    assert len(await staged.stage.events()) > 1
    assert listed == {"scheduled_bots": []}


async def test_microsoft_is_another_name_and_others_accounts_stay(staged: Staged) -> None:
    ann = await onboarded(staged, Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)

    gone = await staged.door.delete(path_of("microsoft", BOB.upper()))

    left = (await staged.door.get("/v1/calendar/connections")).json()
    assert (gone.status_code, gone.json()["account_id"]) == (200, BOB)
    assert (left["user_id"], left["total"]) == (ann, 1)
    assert [event.content.title for event in await staged.stage.events()] == ["Done", "Later"]
    assert [bot.status for bot in await by_start(staged)] == ["completed", "scheduled"]


async def test_a_bot_that_another_account_wants_as_well_is_not_cancelled(staged: Staged) -> None:
    staged.stage.hold_meeting(ANN, "Together", HOUR, BOB)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)

    gone = await staged.door.delete(path_of("google", ANN))

    (bot,) = await staged.stage.bots()
    assert (gone.json()["events_deleted"], gone.json()["schedules_cancelled"]) == (1, 0)
    assert bot.status == "scheduled"


async def test_of_two_who_disconnect_at_once_one_does(staged: Staged) -> None:
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    path = path_of("google", ANN)

    answers = await asyncio.gather(staged.door.delete(path), staged.door.delete(path))

    told = [kind for kind, _ in await staged.stage.told() if kind == "calendar.disconnected"]
    assert sorted(answer.status_code for answer in answers) == [200, 404]
    assert told == ["calendar.disconnected"]


async def test_what_is_left_can_be_synced(staged: Staged) -> None:
    await onboarded(staged, Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)
    await staged.door.delete(path_of("outlook", BOB))

    answer = await staged.door.get("/v1/calendar/events?sync=true")

    assert answer.status_code == 200
    assert answer.json()["partial_errors"] == {}
    assert {row["account_id"] for row in answer.json()["results"]} == {ANN}


@both
async def test_the_legacy_way_disconnects_the_only_account(
    staged: Staged, provider: Provider, email: str
) -> None:
    await onboarded(staged, provider, email)

    gone = await staged.door.delete(DISCONNECT)
    again = await staged.door.delete(DISCONNECT)

    assert (gone.status_code, gone.json()[STOPPED[provider]]) == (200, True)
    assert (gone.json()["events_deleted"], gone.json()["schedules_cancelled"]) == (2, 1)
    assert again.status_code == 404


async def test_the_legacy_way_refuses_to_guess_which_of_several(staged: Staged) -> None:
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)

    refused = await staged.door.delete(DISCONNECT)
    halfway = await staged.door.ask("DELETE", DISCONNECT, {"provider": "google"})
    stranger = {"provider": "google", "account_id": BOB}
    missing = await staged.door.ask("DELETE", DISCONNECT, stranger)
    left = (await staged.door.get("/v1/calendar/connections")).json()["total"]
    named = {"provider": "microsoft", "account_id": BOB}
    done = await staged.door.ask("DELETE", DISCONNECT, named)

    assert (refused.status_code, refused.json()["code"]) == (400, "several_connections")
    assert len(refused.json()["next_steps"]) == 3
    assert (halfway.status_code, halfway.json()["next_steps"]) == (
        400,
        refused.json()["next_steps"],
    )
    assert (missing.status_code, left) == (404, 2)
    assert (done.status_code, done.json()["account_id"]) == (200, BOB)


async def test_the_only_account_may_be_named_by_half_and_not_wrongly(staged: Staged) -> None:
    await staged.stage.onboard(Provider.GOOGLE, ANN)

    wrong = await staged.door.ask("DELETE", DISCONNECT, {"provider": "outlook"})
    done = await staged.door.ask("DELETE", DISCONNECT, {"account_id": ANN})

    assert (wrong.status_code, wrong.json()["code"]) == (404, "not_found")
    assert (done.status_code, done.json()["account_id"]) == (200, ANN)


async def test_nobody_has_nothing_to_disconnect(staged: Staged) -> None:
    answer = await staged.door.delete(DISCONNECT)

    assert (answer.status_code, answer.json()["code"]) == (404, "no_calendar_user")
    assert "create_calendar" in answer.json()["next_steps"][0]


async def test_who_parted_from_an_account_is_in_the_audit_log(staged: Staged) -> None:
    await staged.stage.onboard(Provider.GOOGLE, ANN)

    await staged.door.delete(DISCONNECT)

    done = (await staged.door.get("/v1/audit-log")).json()["results"]
    actors = {entry["action"]: entry["actor"] for entry in done}
    assert actors["connection.made"].startswith("consent:mcu_")
    assert actors["connection.removed"].startswith("key_")
