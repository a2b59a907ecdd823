"""Everything stored of a person is told to whom it concerns, and erased when they ask."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from meetbot_calendar.storage.tables import bots, connections, events, messages
from tenants.storage.tables import api_keys, calendar_users
from tests.journeys.stage import ANN, MEET
from tests.web.staged import RECORD_ALL, Staged


async def test_an_export_holds_everything_but_the_grant(staged: Staged) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)

    answer = await staged.door.get(f"/v1/calendar/users/{ann}/export")

    found = answer.json()
    assert found["calendar_user"]["customer_user_id"] == "ann"
    assert [event["event"]["title"] for event in found["events"]] == ["Kick-off"]
    assert found["events"][0]["content"]["raw"]
    assert [bot["title"] for bot in found["bots"]] == ["Kick-off"]
    assert [row["version"] for row in found["rules"]] == [1]
    assert [row["account_id"] for row in found["connections"]] == [ANN]
    assert len(found["calendars"]) == 1
    assert {row["type"] for row in found["messages"]} == {
        "calendar.connected",
        "calendar.events_changed",
        "bot.scheduled",
    }
    assert "refresh_token" not in answer.text


@pytest.mark.parametrize("before", [timedelta(0), timedelta(minutes=59)])
async def test_an_erased_person_leaves_nothing_behind(staged: Staged, before: timedelta) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    await staged.person_key(ann)
    await staged.stage.pass_time(before)

    erased = await staged.door.delete(f"/v1/calendar/users/{ann}")
    again = await staged.door.delete(f"/v1/calendar/users/{ann}")

    await staged.stage.settle()
    assert (erased.status_code, again.status_code) == (204, 404)
    assert await _counts(staged) == [0, 0, 0, 0, 0, 1]
    assert (await staged.door.get("/v1/calendar/users")).json()["results"] == []


async def _counts(staged: Staged) -> list[int]:
    tables = (calendar_users, connections, events, bots, messages, api_keys)
    async with staged.stage.services.database.tenant(staged.stage.context.tenant_id) as session:
        found = [
            (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for table in tables
        ]
    return [count - (table is api_keys) for count, table in zip(found, tables, strict=True)]


async def test_an_erased_persons_bot_is_called_back_and_their_grant_given_back(
    staged: Staged,
) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    await staged.stage.pass_time(timedelta(minutes=59))

    await staged.door.delete(f"/v1/calendar/users/{ann}")
    await staged.stage.settle()

    assert [bot.status for bot in staged.stage.fleet.bots.values()] == ["recalled"]
    grants = staged.stage.world.grants.state.grants.values()
    assert [grant.revoked for grant in grants] == [True]
