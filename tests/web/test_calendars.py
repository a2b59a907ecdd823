"""Connections, calendars and syncing, as a tenant watches them."""

from datetime import timedelta

from tests.journeys.stage import ANN, MEET
from tests.web.staged import RECORD_ALL, Staged


async def test_a_connection_shows_its_health_and_nothing_of_its_grant(staged: Staged) -> None:
    ann = await staged.ann()

    answer = await staged.door.get(f"/v1/calendar/users/{ann}/connections")

    (row,) = answer.json()["results"]
    assert (row["provider"], row["account_id"], row["status"]) == ("google", ANN, "active")
    assert row["error"] is None
    assert "token" not in answer.text


async def test_a_calendar_shows_how_far_behind_it_is(staged: Staged) -> None:
    ann = await staged.ann()
    staged.stage.world.clock.advance(timedelta(seconds=90))

    (row,) = (await staged.door.get(f"/v1/calendar/users/{ann}/calendars")).json()["results"]

    assert (row["name"], row["selected"], row["is_primary"]) == (ANN, True, True)
    assert (row["last_complete_sync_at"], row["lag_seconds"]) == ("2026-11-23T12:00:00Z", 90.0)
    assert row["push"] in ("active", "unsupported", "lost")


async def test_sync_now_answers_with_what_it_found(staged: Staged) -> None:
    ann = await staged.ann()
    await staged.meet("Kick-off")

    answer = (await staged.door.post(f"/v1/calendar/users/{ann}/sync")).json()

    (row,) = answer["calendars"]
    assert (row["created"], row["updated"], row["deleted"], row["error"]) == (1, 0, 0, None)


async def test_a_calendar_no_longer_chosen_loses_its_events_and_bots_until_chosen_again(
    staged: Staged,
) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    (row,) = (await staged.door.get(f"/v1/calendar/users/{ann}/calendars")).json()["results"]
    path = f"/v1/calendar/users/{ann}/calendars/{row['id']}"

    off = await staged.door.patch(path, {"selected": False})
    await staged.stage.settle()
    events_off = (await staged.door.get(f"/v1/calendar/users/{ann}/events")).json()["results"]
    bots_off = [bot.status for bot in await staged.stage.bots()]
    on = await staged.door.patch(path, {"selected": True})
    await staged.stage.settle()
    events_on = (await staged.door.get(f"/v1/calendar/users/{ann}/events")).json()["results"]

    assert (off.json()["selected"], on.json()["selected"]) == (False, True)
    assert (events_off, bots_off) == ([], ["cancelled"])
    assert [event["title"] for event in events_on] == ["Kick-off"]


async def test_what_is_not_this_persons_is_not_there(staged: Staged) -> None:
    ann = await staged.ann()

    answers = [
        await staged.door.get("/v1/calendar/users/mcu_nobody/connections"),
        await staged.door.get("/v1/calendar/users/mcu_nobody/calendars"),
        await staged.door.post("/v1/calendar/users/mcu_nobody/sync"),
        await staged.door.patch(f"/v1/calendar/users/{ann}/calendars/cal_x", {"selected": True}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 404]


async def test_a_notice_to_an_unknown_address_is_not_found_and_a_handshake_is_echoed_to_a_known_one(
    staged: Staged,
) -> None:
    stranger = staged.with_key(None)

    unknown = await stranger.post("/v1/calendar/notifications/google/made-up")
    other = await stranger.post("/v1/calendar/notifications/yahoo/made-up")

    assert (unknown.status_code, other.status_code) == (404, 404)
