"""``Idempotency-Key``: the same request under the same key is done once."""

from datetime import timedelta

from meetbot_calendar.calendars.model import Provider
from tenants.storage.tables import idempotency_keys
from tests.journeys.stage import ANN, BOB
from tests.web.house import OpenHouse
from tests.web.staged import Staged


async def test_a_repetition_is_answered_as_the_first_was(house: OpenHouse) -> None:
    _, door = await house.tenant()

    first = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")
    again = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await door.get("/v1/api-keys")).json()["results"]) == 2


async def test_another_request_under_the_same_key_is_refused(house: OpenHouse) -> None:
    _, door = await house.tenant()
    await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")

    other = await door.post("/v1/api-keys", {"name": "b"}, Idempotency_Key="k1")

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_same_request_for_another_person_is_another_request(staged: Staged) -> None:
    for provider, email, name in ((Provider.GOOGLE, ANN, "ann"), (Provider.OUTLOOK, BOB, "bob")):
        await staged.stage.connect(provider, email, customer_user_id=name)
    path = "/v1/calendar/auto-schedule/enable"

    answers = [
        await staged.door.post(path, {}, Idempotency_Key="k1", X_Customer_User_Id=name)
        for name in ("ann", "bob", "ann")
    ]

    assert [answer.status_code for answer in answers] == [200, 422, 200]
    assert answers[1].json()["code"] == "idempotency_key_reused"
    assert answers[2].json() == answers[0].json()


async def test_a_request_that_was_refused_may_be_sent_again_corrected(house: OpenHouse) -> None:
    _, door = await house.tenant()

    refused = await door.post("/v1/api-keys", {"name": ""}, Idempotency_Key="k1")
    corrected = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")

    assert (refused.status_code, corrected.status_code) == (422, 201)


async def test_a_first_request_still_at_work_is_waited_for_until_it_must_be_dead(
    house: OpenHouse,
) -> None:
    tenant, door = await house.tenant()
    await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")
    async with house.services.database.tenant(tenant["id"]) as session:
        await session.execute(idempotency_keys.update().values(status=None, answer=None))

    meanwhile = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")
    await house.clock.advance(timedelta(minutes=5))
    later = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")

    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency_in_progress")
    assert later.status_code == 201


async def test_a_key_is_free_again_after_a_day(house: OpenHouse) -> None:
    _, door = await house.tenant()
    first = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")
    await house.clock.advance(timedelta(hours=24))

    again = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")

    assert again.json()["id"] != first.json()["id"]


async def test_tenants_do_not_share_keys(house: OpenHouse) -> None:
    _, one = await house.tenant("One")
    _, two = await house.tenant("Two")

    first = await one.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")
    second = await two.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="k1")

    assert first.json()["key"] != second.json()["key"]


async def test_a_key_that_cannot_be_one_is_refused(house: OpenHouse) -> None:
    _, door = await house.tenant()

    answer = await door.post("/v1/api-keys", {"name": "a"}, Idempotency_Key="x" * 256)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/header/Idempotency-Key"
