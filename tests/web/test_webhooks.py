"""Webhook endpoints, what was sent to them, and every message in order."""

from datetime import timedelta

import pytest

from tests.journeys.stage import MEET
from tests.web.house import Json, OpenHouse
from tests.web.staged import RECORD_ALL, Staged

URL = "https://hooks.acme.example/meetbot"


async def test_an_endpoints_secret_is_shown_at_its_creation_alone(house: OpenHouse) -> None:
    _, door = await house.tenant()

    made = await door.post("/v1/webhook-endpoints", {"url": URL, "events": ["bot.completed"]})
    read = await door.get(f"/v1/webhook-endpoints/{made.json()['id']}")
    listed = await door.get("/v1/webhook-endpoints")

    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert read.json() == {k: v for k, v in made.json().items() if k != "secret"}
    assert listed.json()["results"] == [read.json()]


async def test_an_endpoint_is_changed_disabled_and_enabled(house: OpenHouse) -> None:
    _, door = await house.tenant()
    made = (await door.post("/v1/webhook-endpoints", {"url": URL, "events": ["*"]})).json()
    path = f"/v1/webhook-endpoints/{made['id']}"

    off = (await door.patch(path, {"status": "disabled", "description": "old"})).json()
    on = (await door.patch(path, {"status": "enabled", "events": ["bot.failed"]})).json()

    assert (off["status"], off["disabled_reason"], off["description"]) == (
        "disabled",
        "by_tenant",
        "old",
    )
    assert (on["status"], on["disabled_reason"], on["events"]) == ("enabled", None, ["bot.failed"])


async def test_a_removed_endpoint_is_gone(house: OpenHouse) -> None:
    _, door = await house.tenant()
    made = (await door.post("/v1/webhook-endpoints", {"url": URL, "events": ["*"]})).json()
    path = f"/v1/webhook-endpoints/{made['id']}"

    removed = await door.delete(path)

    assert removed.status_code == 204
    assert [
        (await door.get(path)).status_code,
        (await door.delete(path)).status_code,
        (await door.patch(path, {})).status_code,
        (await door.post(f"{path}/rotate-secret")).status_code,
        (await door.post(f"{path}/test")).status_code,
    ] == [404] * 5


async def test_a_rotated_secret_leaves_the_old_one_a_day(house: OpenHouse) -> None:
    _, door = await house.tenant()
    made = (await door.post("/v1/webhook-endpoints", {"url": URL, "events": ["*"]})).json()

    rotated = (await door.post(f"/v1/webhook-endpoints/{made['id']}/rotate-secret")).json()

    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_until"] == "2026-11-21T12:00:00Z"


async def test_why_we_disabled_an_endpoint_outlasts_the_customers_disabling_it(
    staged: Staged,
) -> None:
    endpoint_id = await staged.stage.listen()
    staged.stage.world.faults.add("customer.webhooks", "410")
    path = f"/v1/webhook-endpoints/{endpoint_id}"
    await staged.door.post(f"{path}/test")
    await staged.stage.settle()
    ours = (await staged.door.get(path)).json()

    theirs = (await staged.door.patch(path, {"status": "disabled"})).json()

    assert (ours["disabled_reason"], ours["failing_since"]) == ("gone", "2026-11-23T12:00:00Z")
    assert theirs == ours | {"updated_at": theirs["updated_at"]}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://hooks.acme.example/", "events": ["*"]}, "/url"),
        ({"url": "https://127.0.0.1/", "events": ["*"]}, "/url"),
        ({"url": "https://169.254.169.254/", "events": ["*"]}, "/url"),
        ({"url": "https://localhost/", "events": ["*"]}, "/url"),
        ({"url": "nonsense", "events": ["*"]}, "/url"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "events": ["bot.danced"]}, "/events/0"),
        ({"url": URL}, "/events"),
        ({"url": URL, "events": ["*"], "secret": "x"}, "/secret"),
    ],
)
async def test_an_endpoint_that_cannot_be_is_refused(
    house: OpenHouse, body: Json, pointer: str
) -> None:
    _, door = await house.tenant()

    answer = await door.post("/v1/webhook-endpoints", body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_there_may_be_fifty_endpoints(house: OpenHouse) -> None:
    _, door = await house.tenant()
    for _ in range(50):
        await door.post("/v1/webhook-endpoints", {"url": URL, "events": ["*"]})

    answer = await door.post("/v1/webhook-endpoints", {"url": URL, "events": ["*"]})

    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_endpoints")


async def test_a_delivery_is_told_with_its_attempts_and_sent_again(staged: Staged) -> None:
    await staged.stage.listen()
    (endpoint,) = (await staged.door.get("/v1/webhook-endpoints")).json()["results"]
    sent = await staged.door.post(f"/v1/webhook-endpoints/{endpoint['id']}/test")
    await staged.stage.settle()

    (row,) = (await staged.door.get("/v1/webhook-deliveries")).json()["results"]
    path = f"/v1/webhook-deliveries/{row['id']}"
    again = await staged.door.post(f"{path}/redeliver")
    await staged.stage.settle()
    after = (await staged.door.get(path)).json()

    assert sent.status_code == 202
    assert (row["message_id"], row["event"]) == (sent.json()["message_id"], "endpoint.test")
    assert (row["status"], [a["status_code"] for a in row["attempts"]]) == ("delivered", [200])
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    assert [a["number"] for a in after["attempts"]] == [1, 2]


async def test_deliveries_are_filtered(staged: Staged) -> None:
    await staged.stage.listen()
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    await staged.stage.settle()
    (bot,) = (await staged.door.get("/v1/bots")).json()["results"]

    async def events(query: str) -> list[str]:
        rows = (await staged.door.get(f"/v1/webhook-deliveries?{query}")).json()["results"]
        return [row["event"] for row in rows]

    assert await events(f"bot_id={bot['id']}") == ["bot.scheduled"]
    assert await events("event=calendar.connected&status=delivered") == ["calendar.connected"]
    assert await events("status=exhausted") == []
    assert await events("endpoint_id=we_none") == []


async def test_messages_are_kept_in_order_though_nobody_listened(staged: Staged) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.stage.pass_time(timedelta(seconds=1))
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)

    rows = (await staged.door.get("/v1/webhook-messages")).json()["results"]
    later = (await staged.door.get(f"/v1/webhook-messages?since={rows[0]['id']}")).json()
    timed = (await staged.door.get("/v1/webhook-messages?since=2026-11-23T12:00:01Z")).json()
    typed = (await staged.door.get("/v1/webhook-messages?type=bot.scheduled")).json()

    assert [row["type"] for row in rows] == [
        "calendar.connected",
        "calendar.events_changed",
        "bot.scheduled",
    ]
    assert rows[2]["data"]["event"]["title"] == "Kick-off"
    assert later["results"] == rows[1:]
    assert timed["results"] == typed["results"] == rows[2:]


async def test_a_message_that_is_not_kept_is_no_place_to_begin(house: OpenHouse) -> None:
    _, door = await house.tenant()

    unknown = await door.get("/v1/webhook-messages?since=msg_none")
    odd = await door.get("/v1/webhook-messages?since=yesterday")

    assert (unknown.status_code, unknown.json()["code"]) == (400, "invalid_watermark")
    assert (odd.status_code, odd.json()["code"]) == (400, "invalid_parameter")
