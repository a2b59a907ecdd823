"""The bot fleet's end: orders, lives by the world's clock, signed reports, ordered trouble."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from standardwebhooks import Webhook

from meetbot_calendar.sandbox.faults import ALWAYS
from meetbot_calendar.sandbox.fleet_bots import FleetConfig
from meetbot_calendar.sandbox.store import State
from meetbot_calendar.sandbox.world import World
from tests.loopback import FarEnd, Heard, answer, listening
from tests.sandbox.site import NOW, Site, StillClock, entering

KEY = FleetConfig().api_key
SECRET = FleetConfig().callback_secret
JOIN_AT = NOW + timedelta(minutes=5)


class Fleet(msgspec.Struct, kw_only=True):
    """The fleet, and the product's end that it reports to."""

    site: Site
    product: FarEnd
    statuses: list[int] = []

    @property
    def world(self) -> World:
        return self.site.world

    def order(self, **changes: Any) -> dict[str, Any]:
        asked = {
            "bot_id": "bot_1",
            "tenant_id": "ten_1",
            "meeting_url": "https://meet.google.com/abc-defg-hij",
            "platform": "google_meet",
            "join_at": f"{JOIN_AT:%Y-%m-%dT%H:%M:%SZ}",
            "bot_config": {"bot_name": "Notes"},
            "metadata": {"event_id": "evt_1"},
            "callback_url": f"{self.product.url}/v1/bots/bot_1/status",
        }
        return {name: value for name, value in (asked | changes).items() if value is not None}

    async def post(self, key: str = "bot_1", token: str = KEY, **changes: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        return await self.site.http.post("/fleet/bots", json=self.order(**changes), headers=headers)

    async def get(self, fleet_id: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        return await self.site.http.get(f"/fleet/bots/{fleet_id}", headers=headers)

    async def recall(self, fleet_id: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        return await self.site.http.delete(f"/fleet/bots/{fleet_id}", headers=headers)

    async def after(self, seconds: float) -> dict[str, Any]:
        """Push the clock, and return the fleet's listing once everything due is done."""
        self.world.clock.advance(timedelta(seconds=seconds))
        body: dict[str, Any] = (await self.site.http.post("/sandbox/fleet/run")).json()
        return body

    def reports(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(heard.body) for heard in self.product.heard]

    def kinds(self) -> list[str]:
        return [report["type"] for report in self.reports()]


@pytest.fixture
async def fleet(site: Site) -> AsyncIterator[Fleet]:
    found: list[Fleet] = []

    async def script(_: Heard, writer: asyncio.StreamWriter) -> None:
        statuses = found[0].statuses
        writer.write(answer(b"{}", statuses.pop(0) if statuses else 200))

    async with listening(script) as product:
        found.append(Fleet(site=site, product=product))
        yield found[0]


async def test_an_order_is_accepted_and_can_be_looked_at(fleet: Fleet) -> None:
    ordered = await fleet.post()

    seen = (await fleet.get(ordered.json()["id"])).json()
    assert ordered.status_code == 201
    assert seen == {
        "id": ordered.json()["id"],
        "bot_id": "bot_1",
        "status": "accepted",
        "join_at": "2026-11-20T12:05:00Z",
        "joined_at": None,
        "ended_at": None,
        "recalled_at": None,
        "report": None,
    }


async def test_the_same_key_gives_the_same_answer_and_another_body_a_conflict(
    fleet: Fleet,
) -> None:
    first, again = await fleet.post(), await fleet.post()
    other = await fleet.post(platform="zoom")

    listed = (await fleet.site.http.get("/sandbox/fleet/bots")).json()
    assert (first.json(), first.status_code) == (again.json(), again.status_code)
    assert refusal(other) == (409, "idempotency_conflict")
    assert [(bot["key"], bot["repeats"]) for bot in listed["bots"]] == [("bot_1", 1)]


async def test_a_wrong_key_or_order_is_refused(fleet: Fleet) -> None:
    assert refusal(await fleet.post(token="wrong")) == (401, "unauthorized")
    assert refusal(await fleet.post(key="")) == (400, "no_idempotency_key")
    assert refusal(await fleet.post(meeting_url=None)) == (422, "invalid_order")
    assert refusal(await fleet.post(meeting_url="javascript:x")) == (422, "invalid_order")
    assert refusal(await fleet.post(join_at="soon")) == (422, "invalid_order")
    assert refusal(await fleet.get("fb_none")) == (404, "unknown_bot")


async def test_a_bot_joins_at_its_time_and_completes_after_its_recording(fleet: Fleet) -> None:
    await fleet.post()

    early = (await fleet.after(300))["bots"][0]["status"]
    joined = (await fleet.after(3))["bots"][0]["status"]
    listed = await fleet.after(60)

    assert (early, joined, listed["bots"][0]["status"]) == ("accepted", "joined", "completed")
    assert fleet.kinds() == ["bot.joined", "bot.completed"]
    assert fleet.reports()[1]["data"] == {
        "recording_url": "http://127.0.0.1/fleet/recordings/fb_000001.mp4",
        "transcript_url": "http://127.0.0.1/fleet/transcripts/fb_000001.json",
        "duration_seconds": 60,
    }
    assert fleet.reports()[1]["timestamp"] == "2026-11-20T12:06:03.000000Z"


async def test_reports_are_signed_as_standard_webhooks_by_the_worlds_clock(fleet: Fleet) -> None:
    await fleet.post()
    await fleet.after(303)

    (heard,) = fleet.product.heard
    sent_at = int(heard.headers["webhook-timestamp"])
    assert sent_at == int((NOW + timedelta(seconds=303)).timestamp())
    assert heard.target == "/v1/bots/bot_1/status"
    assert heard.headers["webhook-signature"] == Webhook(SECRET).sign(
        heard.headers["webhook-id"], fleet.world.clock.now(), heard.body.decode()
    )


async def test_a_bot_ordered_late_joins_at_once(fleet: Fleet) -> None:
    fleet.world.clock.advance(timedelta(minutes=10))
    await fleet.post()

    bot = (await fleet.after(3))["bots"][0]

    assert (bot["status"], bot["late_seconds"]) == ("joined", 300)


async def test_a_whole_life_passes_when_the_clock_is_pushed_far(fleet: Fleet) -> None:
    await fleet.post()

    await fleet.after(86_400)

    assert fleet.kinds() == ["bot.joined", "bot.completed"]


async def test_bots_live_on_their_own_when_time_passes(fleet: Fleet) -> None:
    await fleet.post()

    fleet.world.clock.advance(timedelta(hours=1))
    while len(fleet.product.heard) < 2:  # noqa: ASYNC110 - the runner has no bell for tests
        await asyncio.sleep(0)

    assert fleet.kinds() == ["bot.joined", "bot.completed"]


async def test_a_recalled_bot_reports_nothing_more(fleet: Fleet) -> None:
    fleet_id = (await fleet.post()).json()["id"]

    first, again = await fleet.recall(fleet_id), await fleet.recall(fleet_id)
    listed = await fleet.after(3600)

    assert (first.status_code, again.status_code) == (204, 204)
    assert (listed["bots"][0]["status"], fleet.kinds()) == ("recalled", [])


async def test_an_unknown_bot_is_404_and_a_finished_one_409(fleet: Fleet) -> None:
    fleet_id = (await fleet.post()).json()["id"]
    await fleet.after(3600)

    assert refusal(await fleet.recall("fb_none")) == (404, "unknown_bot")
    assert refusal(await fleet.recall(fleet_id)) == (409, "already_over")


async def test_a_report_that_is_not_taken_comes_again_and_later_ones_wait(fleet: Fleet) -> None:
    fleet.statuses = [503, 503]
    await fleet.post()

    await fleet.after(303)
    one = fleet.kinds()
    await fleet.after(2)
    listed = await fleet.after(3600)

    assert one == ["bot.joined"]
    assert fleet.kinds() == ["bot.joined", "bot.joined", "bot.joined", "bot.completed"]
    assert len({heard.headers["webhook-id"] for heard in fleet.product.heard}) == 2
    assert [r["answers"] for r in listed["bots"][0]["reports"]] == [[503, 503, 200], [200]]


@pytest.mark.parametrize(
    ("kind", "status", "code", "wait"),
    [
        ("503", 503, "full", "30"),
        ("507", 507, "full", "30"),
        ("429", 429, "full", "30"),
        ("bad_link", 422, "bad_link", None),
        ("unauthorized", 401, "unauthorized", None),
    ],
)
async def test_ordered_trouble_refuses_an_order_once_and_is_written_down(
    fleet: Fleet, kind: str, status: int, code: str, wait: str | None
) -> None:
    fleet.world.faults.add("fleet.bots", kind)

    first, second = await fleet.post(), await fleet.post()

    listed = (await fleet.site.http.get("/sandbox/fleet/bots")).json()
    assert refusal(first) == (status, code)
    assert first.headers.get("retry-after") == wait
    assert second.status_code == 201
    assert listed["refused"] == [
        {"received_at": "2026-11-20T12:00:00Z", "key": "bot_1", "status": status, "code": code}
    ]


async def test_a_lost_answer_has_acted_and_the_same_key_finds_the_bot(fleet: Fleet) -> None:
    fleet.world.faults.add("fleet.bots", "lose_answer")

    lost, again = await fleet.post(), await fleet.post()

    listed = (await fleet.site.http.get("/sandbox/fleet/bots")).json()
    assert (lost.status_code, again.status_code) == (500, 201)
    assert [bot["id"] for bot in listed["bots"]] == [again.json()["id"]]


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("repeat", ["bot.joined", "bot.joined", "bot.completed"]),
        ("drop", ["bot.completed"]),
        ("out_of_order", ["bot.joined", "bot.completed", "bot.joined"]),
        ("contradict", ["bot.joined", "bot.completed", "bot.failed"]),
        ("fail", ["bot.failed"]),
    ],
)
async def test_reports_may_be_repeated_lost_late_or_contradicted(
    fleet: Fleet, kind: str, seen: list[str]
) -> None:
    fleet.world.faults.add("fleet.reports", kind)
    await fleet.post()

    await fleet.after(303)
    await fleet.after(60)

    assert fleet.kinds() == seen


async def test_a_forged_report_comes_before_the_genuine_one(fleet: Fleet) -> None:
    fleet.world.faults.add("fleet.reports", "forged")
    await fleet.post()
    await fleet.after(303)

    genuine = [is_genuine(heard, fleet.world.clock.now()) for heard in fleet.product.heard]

    assert genuine == [False, True]


async def test_a_forged_report_that_is_refused_keeps_no_genuine_one_waiting(fleet: Fleet) -> None:
    fleet.world.faults.add("fleet.reports", "forged")
    fleet.statuses = [401]
    await fleet.post()

    listed = await fleet.after(303)

    genuine = [is_genuine(heard, fleet.world.clock.now()) for heard in fleet.product.heard]
    assert genuine == [False, True]
    assert [r["answers"] for r in listed["bots"][0]["reports"]] == [[401], [200]]


async def test_the_fleet_behaves_as_configured(fleet: Fleet) -> None:
    wanted = {"recording_seconds": 5, "join_delay_seconds": 0, "api_key": "other"}
    wrong = await fleet.site.http.post("/sandbox/fleet/config", json={"nope": 1})
    right = await fleet.site.http.post("/sandbox/fleet/config", json=wanted)
    await fleet.post(token="other")

    listed = await fleet.after(305)

    assert (wrong.status_code, right.status_code) == (400, 200)
    assert listed["bots"][0]["status"] == "completed"


async def test_every_recording_can_be_made_to_fail(fleet: Fleet) -> None:
    wanted = {"outcome": "failed", "reason": "waiting_room"}
    await fleet.site.http.post("/sandbox/fleet/config", json=wanted)
    await fleet.post()

    await fleet.after(303)

    assert [(r["type"], r["data"]) for r in fleet.reports()] == [
        ("bot.failed", {"reason": "waiting_room"})
    ]


async def test_a_hundred_bots_of_one_instant_all_report(fleet: Fleet) -> None:
    for number in range(100):
        await fleet.post(key=f"bot_{number}", bot_id=f"bot_{number}")

    await fleet.after(303)

    assert fleet.kinds() == ["bot.joined"] * 100


async def test_recordings_and_transcripts_can_be_followed(fleet: Fleet) -> None:
    await fleet.post()
    await fleet.after(3600)
    data = fleet.reports()[1]["data"]

    recording = await fleet.site.http.get(data["recording_url"])
    transcript = await fleet.site.http.get(data["transcript_url"])

    assert "meet.google.com/abc-defg-hij" in recording.text
    assert transcript.json()["bot_id"] == "bot_1"


async def test_the_fleet_outlives_the_process(fleet: Fleet) -> None:
    await fleet.post()
    await fleet.after(303)
    state = msgspec.json.decode(fleet.world.snapshot(), type=State)

    async with entering(World(StillClock(), state)) as again:
        again.world.clock.advance(timedelta(seconds=60))
        listed = (await again.http.post("/sandbox/fleet/run")).json()

    assert listed["bots"][0]["status"] == "completed"
    assert fleet.kinds() == ["bot.joined", "bot.completed"]


async def test_a_slow_fleet_still_answers(fleet: Fleet) -> None:
    fleet.world.faults.add("fleet.bots", "slow", ALWAYS, seconds=0.01)

    assert (await fleet.post()).status_code == 201


def is_genuine(heard: Heard, now: datetime) -> bool:
    signature = Webhook(SECRET).sign(heard.headers["webhook-id"], now, heard.body.decode())
    return heard.headers["webhook-signature"] == signature


def refusal(answer_: httpx.Response) -> tuple[int, Any]:
    return answer_.status_code, answer_.json()["error"]["code"]
