"""The tenant's own server: judges and keeps webhooks, lets tests wait for them, shows redirects."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from standardwebhooks import Webhook

from meetbot_calendar.sandbox.store import State
from meetbot_calendar.sandbox.world import World
from tests.sandbox.site import NOW, Site, StillClock, entering

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_b3RoZXItc2VjcmV0LW9mLTI0LWJ5dGVz"
BODY = '{"type":"bot.completed","timestamp":"2026-11-20T12:00:00Z","data":{"bot_id":"bot_1"}}'


async def test_a_genuine_message_is_taken_and_kept(site: Site) -> None:
    await set_secret(site)

    taken = await deliver(site)

    assert taken.status_code == 200
    assert await received(site) == [
        {
            "number": 1,
            "inbox": "acme",
            "received_at": "2026-11-20T12:00:00Z",
            "id": "msg_1",
            "type": "bot.completed",
            "verified": True,
            "reason": "genuine",
            "answered": 200,
            "body": msgspec.json.decode(BODY),
            "timestamp": str(int(NOW.timestamp())),
        }
    ]


async def test_a_message_that_is_not_genuine_is_kept_with_the_reason(site: Site) -> None:
    await deliver(site)
    await set_secret(site)
    await deliver(site, secret=OTHER)
    await deliver(site, body=BODY, signed=BODY + " ")
    await deliver(site, late=timedelta(minutes=6))
    await deliver(site, late=timedelta(minutes=-6))
    await site.http.post("/customer/webhooks/acme", content=BODY)

    assert [(m["verified"], m["reason"]) for m in await received(site)] == [
        (False, "no secret set"),
        (False, "no matching signature"),
        (False, "no matching signature"),
        (False, "timestamp too old or too new"),
        (False, "timestamp too old or too new"),
        (False, "missing headers"),
    ]


async def test_tolerance_goes_by_the_worlds_clock(site: Site) -> None:
    await set_secret(site)
    site.world.clock.advance(timedelta(days=30))

    await deliver(site, late=timedelta(days=-30))

    assert [m["reason"] for m in await received(site)] == ["genuine"]


async def test_while_a_secret_rotates_either_signature_is_good(site: Site) -> None:
    await set_secret(site)
    await set_secret(site, OTHER, keep_old=True)
    both = f"{sign('msg_1', SECRET)} {sign('msg_1', OTHER)}"

    await deliver(site, secret=SECRET)
    await deliver(site, secret=OTHER)
    await deliver(site, signature=both)
    await set_secret(site, OTHER)
    await deliver(site, secret=SECRET)

    assert [m["verified"] for m in await received(site)] == [True, True, True, False]


async def test_a_secret_must_look_like_one(site: Site) -> None:
    bodies: list[dict[str, Any]] = [{"secret": "plain"}, {"secret": "whsec_"}, {"secrets": []}, {}]

    answers = [await site.http.post("/customer/webhooks/acme/secret", json=b) for b in bodies]

    assert [a.status_code for a in answers] == [400] * 4


@pytest.mark.parametrize(
    ("kind", "status", "header"),
    [
        ("500", 500, None),
        ("410", 410, None),
        ("429", 429, ("retry-after", "5")),
        ("redirect", 302, ("location", "/customer/elsewhere")),
    ],
)
async def test_ordered_trouble_answers_otherwise_once(
    site: Site, kind: str, status: int, header: tuple[str, str] | None
) -> None:
    await set_secret(site)
    site.world.faults.add("customer.webhooks", kind, account="acme")

    elsewhere = await deliver(site, name="other")
    first, second = await deliver(site), await deliver(site)

    assert (elsewhere.status_code, first.status_code, second.status_code) == (200, status, 200)
    assert header is None or first.headers[header[0]] == header[1]
    assert [m["answered"] for m in await received(site, name="acme")] == [status, 200]


async def test_a_slow_customer_answers_in_the_end(site: Site) -> None:
    site.world.faults.add("customer.webhooks", "slow", seconds=0.01)

    assert (await deliver(site)).status_code == 200


async def test_messages_are_read_from_a_place_on_and_by_type_and_address(site: Site) -> None:
    await deliver(site)
    await deliver(site, body='{"type":"bot.joined"}')
    await deliver(site, name="other")

    assert [m["number"] for m in await received(site, after=1)] == [2, 3]
    assert [m["number"] for m in await received(site, type="bot.joined")] == [2]
    assert [m["number"] for m in await received(site, name="other")] == [3]


async def test_who_waits_is_answered_as_soon_as_the_message_comes(site: Site) -> None:
    await deliver(site)
    waiting = asyncio.create_task(received(site, after=1, wait=30, type="bot.joined"))
    await asyncio.sleep(0)
    await deliver(site)
    await deliver(site, body='{"type":"bot.joined"}')

    assert [m["number"] for m in await waiting] == [3]


async def test_who_waits_in_vain_gets_an_empty_answer(site: Site) -> None:
    answer = await site.http.get("/customer/received", params={"after": 7, "wait": 0.01})

    assert answer.json() == {"messages": [], "last": 7}


async def test_messages_can_be_forgotten_and_numbers_go_on(site: Site) -> None:
    await deliver(site)
    forgotten = await site.http.delete("/customer/received")
    await deliver(site)

    assert forgotten.json() == {"last": 1}
    assert [m["number"] for m in await received(site)] == [2]


async def test_a_body_that_is_no_json_is_kept_as_text(site: Site) -> None:
    await deliver(site, body="hello")

    assert [(m["body"], m["type"]) for m in await received(site)] == [("hello", "")]


async def test_the_landing_page_shows_what_the_redirect_brought(site: Site) -> None:
    query = {"status": "success", "meetbot_calendar_user_id": "mcu_1", "x": "<script>"}

    good = await site.http.get("/customer/connected", params=query)
    bad = await site.http.get("/customer/connected", params={"status": "error", "error": "denied"})

    assert "Your calendar is connected" in good.text
    assert "mcu_1" in good.text
    assert "&lt;script&gt;" in good.text
    assert "Your calendar is not connected" in bad.text


async def test_the_customer_outlives_the_process(site: Site) -> None:
    await set_secret(site)
    await deliver(site)
    state = msgspec.json.decode(site.world.snapshot(), type=State)

    async with entering(World(StillClock(), state)) as again:
        await deliver(again)
        kept = await received(again)

    assert [(m["number"], m["verified"]) for m in kept] == [(1, True), (2, True)]


async def set_secret(site: Site, secret: str = SECRET, **more: Any) -> None:
    answer = await site.http.post("/customer/webhooks/acme/secret", json={"secret": secret} | more)
    assert answer.status_code == 200, answer.text


async def deliver(
    site: Site,
    body: str = BODY,
    *,
    name: str = "acme",
    secret: str = SECRET,
    signed: str = "",
    signature: str = "",
    late: timedelta = timedelta(0),
) -> httpx.Response:
    sent_at = site.world.clock.now() - late if late > timedelta(0) else NOW - late
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": signature or Webhook(secret).sign("msg_1", sent_at, signed or body),
    }
    return await site.http.post(f"/customer/webhooks/{name}", content=body, headers=headers)


async def received(site: Site, **query: Any) -> list[dict[str, Any]]:
    answer = await site.http.get("/customer/received", params=query)
    found: list[dict[str, Any]] = answer.json()["messages"]
    return found


def sign(message_id: str, secret: str) -> str:
    return Webhook(secret).sign(message_id, NOW, BODY)
