"""For whom a MeetStream client's call acts, and how it is told what went wrong."""

from meetbot_calendar.calendars.model import Provider
from tests.journeys.stage import ANN, BOB
from tests.web.staged import Staged

CONNECTIONS = "/v1/calendar/connections"


async def test_a_tenant_without_people_has_no_connections(staged: Staged) -> None:
    answer = await staged.door.get(CONNECTIONS)

    assert answer.status_code == 200
    assert answer.json() == {
        "connections": {"google": [], "outlook": []},
        "total": 0,
        "user_id": None,
    }


async def test_a_tenants_only_person_need_not_be_named(staged: Staged) -> None:
    ann = await staged.ann()

    found = (await staged.door.get(CONNECTIONS)).json()

    assert (found["user_id"], found["total"]) == (ann, 1)
    assert [row["account_id"] for row in found["connections"]["google"]] == [ANN]


async def test_of_several_people_one_must_be_named(staged: Staged) -> None:
    ann = await staged.ann()
    bob = (await staged.stage.connect(Provider.OUTLOOK, BOB, customer_user_id="bob")).user_id

    unnamed = await staged.door.get(CONNECTIONS)
    by_id = await staged.door.get(f"{CONNECTIONS}?user_id={ann}")
    by_header = await staged.door.get(CONNECTIONS, X_Customer_User_Id="bob")
    by_key = await (await staged.person_key(bob)).get(CONNECTIONS)

    assert (unnamed.status_code, unnamed.json()["code"]) == (400, "user_not_named")
    assert len(unnamed.json()["next_steps"]) == 2
    assert [answer.json()["user_id"] for answer in (by_id, by_header, by_key)] == [ann, bob, bob]


async def test_a_persons_key_sees_nobody_else(staged: Staged) -> None:
    ann = await staged.ann()
    bob = (await staged.stage.connect(Provider.OUTLOOK, BOB, customer_user_id="bob")).user_id
    his = await staged.person_key(bob)

    answers = [
        await his.get(f"{CONNECTIONS}?user_id={ann}"),
        await his.get(CONNECTIONS, X_Customer_User_Id="ann"),
        await his.get(f"{CONNECTIONS}/google/{ANN}"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_both_addresses_and_meetstreams_scheme_lead_to_the_same(staged: Staged) -> None:
    await staged.ann()
    bare = staged.with_key(None)

    answers = [
        await bare.get(path, Authorization=f"Token {staged.door.key}")
        for path in (CONNECTIONS, f"/api{CONNECTIONS}")
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


async def test_an_error_is_told_in_the_contracts_words_and_in_meetstreams(staged: Staged) -> None:
    await staged.ann()

    missing = await staged.door.get(f"{CONNECTIONS}/microsoft/nobody%40acme.example")
    unknown = await staged.with_key("nonsense").get(CONNECTIONS)

    problem = missing.json()
    assert missing.headers["content-type"] == "application/problem+json"
    assert (missing.status_code, problem["status"], problem["status_code"]) == (404, 404, 404)
    assert problem["error"] == problem["detail"]
    assert "nobody@acme.example" in problem["error"]
    assert (unknown.status_code, unknown.json()["status_code"]) == (401, 401)
