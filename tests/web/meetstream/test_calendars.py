"""``GET calendars``: live from the providers, whatever is stored."""

from datetime import timedelta

from meetbot_calendar.calendars.model import Provider
from tests.journeys.stage import ANN, BOB
from tests.web.staged import Staged

CALENDARS = "/v1/calendar/calendars"


async def both(staged: Staged) -> str:
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.pass_time(timedelta(seconds=1))
    user_id: str = await staged.stage.onboard(Provider.OUTLOOK, BOB)
    return user_id


async def test_calendars_of_all_accounts_are_listed_as_they_are_now(staged: Staged) -> None:
    user_id = await both(staged)
    directory = staged.stage.world.directory
    owner = directory.account("google", ANN)
    assert owner is not None
    team = directory.add_calendar(owner, "Team")

    found = (await staged.door.get(CALENDARS)).json()

    rows = {row["id"]: row for row in found["calendars"]}
    assert (found["user_id"], found["total"], found["partial_errors"]) == (user_id, 3, {})
    assert found["connections"] == [
        {"provider": provider, "account_id": email, "status": "active", "calendars": many}
        | {"error": None}
        for provider, email, many in (("google", ANN, 2), ("outlook", BOB, 1))
    ]
    color = rows[ANN]["backgroundColor"]
    assert color.startswith("#")
    assert rows[ANN] == {
        "id": ANN,
        "summary": ANN,
        "isPrimary": True,
        "accessRole": "owner",
        "timeZone": "Europe/Berlin",
        "backgroundColor": color,
        "selected": True,
        "provider": "google",
        "account_id": ANN,
    }
    (his,) = [row for row in rows.values() if row["provider"] == "outlook"]
    assert (his["timeZone"], his["backgroundColor"]) == ("UTC", "#0078d4")
    assert (rows[team.id]["summary"], rows[team.id]["isPrimary"]) == ("Team", False)


async def test_one_account_can_be_asked_alone(staged: Staged) -> None:
    await both(staged)

    for query in ("provider=microsoft", f"account_id={BOB.replace('@', '%40').upper()}"):
        found = (await staged.door.get(f"{CALENDARS}?{query}")).json()
        assert [row["account_id"] for row in found["calendars"]] == [BOB]
        assert [row["account_id"] for row in found["connections"]] == [BOB]


async def test_an_account_that_cannot_be_asked_does_not_disturb_the_others(
    staged: Staged,
) -> None:
    await both(staged)
    staged.stage.world.grants.revoke_account(f"outlook:{BOB}")
    staged.stage.world.faults.add("microsoft.calendars", "503_json", account=BOB)

    answer = await staged.door.get(CALENDARS)

    found = answer.json()
    assert answer.status_code == 200
    assert [row["account_id"] for row in found["calendars"]] == [ANN]
    assert list(found["partial_errors"]) == [f"outlook::{BOB}"]
    assert [row["error"] for row in found["connections"]] == [
        None,
        found["partial_errors"][f"outlook::{BOB}"],
    ]


async def test_a_calendar_that_is_not_synced_says_so(staged: Staged) -> None:
    user_id = await both(staged)
    path = f"/v1/calendar/users/{user_id}/calendars"
    ours = (await staged.door.get(path)).json()["results"]
    (hers,) = [row for row in ours if row["account_id"] == ANN]
    await staged.door.patch(f"{path}/{hers['id']}", {"selected": False})

    rows = (await staged.door.get(CALENDARS)).json()["calendars"]

    assert {row["account_id"]: row["selected"] for row in rows} == {ANN: False, BOB: True}


async def test_an_account_that_wants_to_be_left_alone_is_not_asked_before_its_time(
    staged: Staged,
) -> None:
    await both(staged)
    staged.stage.world.faults.add("microsoft.calendars", "429", account=BOB, retry_after=60)
    said: list[list[str]] = []

    for seconds in (0, 59, 1):
        staged.stage.world.clock.advance(timedelta(seconds=seconds))
        found = (await staged.door.get(CALENDARS)).json()
        said.append([each.split(",")[0] for each in found["partial_errors"].values()])

    assert said == [
        ["Microsoft answers 429 applicationthrottled"],
        ["the provider asked to be left alone for another 1 s: try again then"],
        [],
    ]


async def test_a_calendar_that_its_person_has_hidden_is_listed_and_synced_once_chosen(
    staged: Staged,
) -> None:
    directory = staged.stage.world.directory
    owner = directory.account("google", ANN)
    assert owner is not None
    team = directory.add_calendar(owner, "Team")
    entry = directory.entry(owner, team.id)
    assert entry is not None
    entry.hidden = True
    user_id = await staged.stage.onboard(Provider.GOOGLE, ANN)
    ours = (await staged.stage.calendars(user_id))["Team"]

    before = (await staged.door.get(CALENDARS)).json()["calendars"]
    path = f"/v1/calendar/users/{user_id}/calendars/{ours.id}"
    await staged.door.patch(path, {"selected": True})
    after = (await staged.door.get(CALENDARS)).json()["calendars"]

    assert {row["summary"]: row["selected"] for row in before} == {ANN: True, "Team": False}
    assert {row["summary"]: row["selected"] for row in after} == {ANN: True, "Team": True}


async def test_a_tenant_without_people_has_no_calendars(staged: Staged) -> None:
    answer = await staged.door.get(CALENDARS)

    assert (answer.status_code, answer.json()["calendars"]) == (200, [])
