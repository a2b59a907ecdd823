"""Everything stored of a person is told to whom it concerns, and erased when they ask."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from meetbot_calendar.storage.tables import bots, connections, events, messages, metadata
from tenants.storage.tables import api_keys, calendar_users
from tests.journeys.stage import ANN, MEET
from tests.web.staged import RECORD_ALL, SKIP_ALL, Staged


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


# Where an export tells of each table that holds something of one person.
TOLD_IN = {
    "api_keys": "api_keys",
    "calendars": "calendars",
    "connections": "connections",
    "events": "events",
    "rule_sets": "rules",
    "series": "series",
    "series_overrides": "series_overrides",
    "bot_events": "bots",  # each bot names its people and its events
    "oauth_states": None,  # a secret of ten minutes, and nothing else
}


async def test_an_export_tells_of_every_table_that_knows_a_person(staged: Staged) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    hers = await staged.person_key(ann)
    await hers.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)

    found = (await hers.get(f"/v1/calendar/users/{ann}/export")).json()

    tables = {t.name for t in metadata.sorted_tables if "user_id" in t.columns}
    assert tables == TOLD_IN.keys()
    assert {told for told in TOLD_IN.values() if told} <= found.keys()
    (key,) = found["api_keys"]
    assert (key["name"], key["user_id"]) == ("phone", ann)
    assert {(e["action"], e["actor"]) for e in found["audit_entries"]} >= {
        ("connection.made", f"consent:{ann}"),
        ("rules.saved", key["id"]),
        ("calendar_user.exported", key["id"]),
    }


async def test_an_export_tells_what_was_decided_before_and_how_each_message_was_delivered(
    staged: Staged,
) -> None:
    await staged.stage.listen()
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    for rules in (SKIP_ALL, RECORD_ALL):
        await staged.door.put(f"/v1/calendar/users/{ann}/rules", rules)
    await staged.stage.settle()
    hers = await staged.person_key(ann)
    path = f"/v1/calendar/users/{ann}/export"

    to_tenant = (await staged.door.get(path)).json()
    to_her = (await hers.get(path)).json()

    (event,) = [row["event"] for row in to_tenant["events"]]
    told = {row["id"] for row in to_tenant["messages"]}
    attempts = [row["attempts"] for row in to_tenant["deliveries"]]
    assert [(row["event_id"], row["decision"]["action"]) for row in to_tenant["decisions"]] == [
        (event["id"], "skip"),
        (event["id"], "skip"),
        (event["id"], "record"),
    ]
    assert to_tenant["decisions"][-1]["decision"] == event["decision"]
    assert {row["message_id"] for row in to_tenant["deliveries"]} == told
    assert {(len(made), made[0]["status_code"]) for made in attempts} == {(1, 200)}
    assert to_her["decisions"] == to_tenant["decisions"]
    assert [
        attempt | {"error": None, "response_excerpt": None} for made in attempts for attempt in made
    ] == [attempt for row in to_her["deliveries"] for attempt in row["attempts"]]


async def test_an_export_tells_what_others_did_to_a_persons_things_and_not_from_where(
    staged: Staged,
) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    person = f"/v1/calendar/users/{ann}"
    ((calendar,), (event,)) = [
        (await staged.door.get(f"{person}/{name}")).json()["results"]
        for name in ("calendars", "events")
    ]
    await staged.door.post(f"/v1/calendar/schedule/{event['id']}", {})
    await staged.door.patch(f"{person}/calendars/{calendar['id']}", {"selected": False})
    hers = await staged.person_key(ann)

    found = (await hers.get(f"{person}/export")).json()["audit_entries"]

    about = {(entry["action"], entry["target"], entry["address"]) for entry in found}
    assert about >= {
        ("event.scheduled", event["id"], None),
        ("calendar.deselected", calendar["id"], None),
        ("calendar_user.exported", ann, "127.0.0.1"),
    }
    assert "api_key.created" in {action for action, _, _ in about}


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
