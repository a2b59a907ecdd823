"""Attempts on what providers and fleets may tell: forged, replayed and odd notices and reports."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from httpx import Response

from meetbot_calendar.deliveries import signing
from meetbot_calendar.sandbox.fleet_bots import FleetState
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.store import Watch
from tests.attacks.scene import Party, Scene

RUBBISH = [
    b"", b"null", b"[]", b"{}", b'"text"', b"0", b"{", b"\xff\xfe", b"[" * 100_000,
    b'{"value": 1}', b'{"value": [null, 1, "x", []]}', b'{"value": [{"clientState": {}}]}',
    b'{"value": [' + b"{}," * 20_000 + b"{}]}", b"\x00" * 1000,
]  # fmt: skip


def watches_of(scene: Scene, provider: str) -> tuple[Watch, Watch]:
    """Return a watch on Acme's calendar, and one on Mallory's."""
    found = [w for w in scene.acme.stage.world.state.watches.values() if w.provider == provider]
    by_owner = {w.account.partition("@")[2]: w for w in found}
    return by_owner["acme.example"], by_owner["mallory.example"]


def path_of(watch: Watch, provider: str | None = None) -> str:
    token = watch.address.rpartition("/")[2]
    return f"/v1/calendar/notifications/{provider or watch.provider}/{token}"


async def notify(
    scene: Scene, path: str, *, channel: str, secret: str | None, change: str = "exists"
) -> Response:
    """Post a notice as either provider writes it."""
    headers = {"X-Goog-Channel-Id": channel, "X-Goog-Resource-State": change}
    headers |= {"X-Goog-Channel-Token": secret} if secret is not None else {}
    item = {"subscriptionId": channel, "clientState": secret, "changeType": "updated"}
    body = msgspec.json.encode({"value": [item]})
    return await scene.stranger.send("POST", path, body, **headers)


@pytest.fixture
async def untouched(scene: Scene) -> AsyncIterator[Party]:
    """Acme, for which nothing becomes due and at whose providers nothing is asked."""
    asked = len(scene.acme.stage.world.journal.asked)
    before = await scene.acme.rows()
    yield scene.acme
    assert await scene.acme.rows() == before
    assert len(scene.acme.stage.world.journal.asked) == asked


each = pytest.mark.parametrize("provider", ["google", "outlook"])


@each
async def test_a_notice_at_an_address_that_was_made_up_finds_nothing(
    scene: Scene, untouched: Party, provider: str
) -> None:
    acmes, _ = watches_of(scene, provider)
    genuine = path_of(acmes)
    for path in (genuine[:-1], genuine + "x", genuine[:-43] + "0" * 43, genuine.upper()):
        answer = await notify(scene, path, channel=acmes.id, secret=acmes.secret)
        assert answer.status_code == 404
    del untouched


@each
async def test_a_notice_with_a_wrong_secret_or_none_or_anothers_is_taken_and_ignored(
    scene: Scene, untouched: Party, provider: str
) -> None:
    acmes, mallorys = watches_of(scene, provider)
    for secret in ("", "x", None, acmes.secret[:-1], acmes.secret + "x", mallorys.secret):
        answer = await notify(scene, path_of(acmes), channel=acmes.id, secret=secret)
        assert answer.status_code == 202, secret
    del untouched


@each
async def test_a_notice_of_another_channel_rings_nothing(
    scene: Scene, untouched: Party, provider: str
) -> None:
    acmes, mallorys = watches_of(scene, provider)
    for channel in ("", "x", mallorys.id):
        answer = await notify(scene, path_of(acmes), channel=channel, secret=acmes.secret)
        assert answer.status_code == 202
    del untouched


@each
async def test_a_notice_at_the_other_providers_address_rings_nothing(
    scene: Scene, untouched: Party, provider: str
) -> None:
    acmes, _ = watches_of(scene, provider)
    other = "outlook" if provider == "google" else "google"
    path = path_of(acmes, other)

    answer = await notify(scene, path, channel="x", secret="x")

    assert answer.status_code in (202, 404)
    del untouched


@each
async def test_a_notice_that_is_rubbish_is_answered_and_ignored(
    scene: Scene, untouched: Party, provider: str
) -> None:
    acmes, _ = watches_of(scene, provider)
    for body in RUBBISH:
        answer = await scene.stranger.send("POST", path_of(acmes), body)
        assert answer.status_code in (202, 400, 413), body[:20]
    for value in ("x" * 60_000, "\x7f", "%00"):
        told = {"X-Goog-Channel-Id": value, "X-Goog-Channel-Token": "x"}
        answer = await scene.stranger.send("POST", path_of(acmes), b"", **told)
        assert answer.status_code in (202, 400)
    del untouched


async def test_the_handshake_repeats_words_as_plain_text_and_at_known_addresses_alone(
    scene: Scene, untouched: Party
) -> None:
    acmes, _ = watches_of(scene, "outlook")
    words = "?validationToken=%3Cscript%3Ealert(1)%3C/script%3E"

    known = await scene.stranger.send("POST", path_of(acmes) + words, b"")
    unknown = await scene.stranger.send("POST", path_of(acmes)[:-1] + words, b"")

    assert known.headers["content-type"].startswith("text/plain")
    assert known.headers["x-content-type-options"] == "nosniff"
    assert unknown.status_code == 404
    assert "<script" not in unknown.text
    del untouched


# Reports of the fleet


class Bench(msgspec.Struct, kw_only=True):
    """Two bots of Acme's that have left, and what signs for them."""

    scene: Scene
    first: str
    second: str
    secret: str

    async def report(
        self, bot: str, body: bytes, headers: dict[str, str], *, times: int = 1
    ) -> list[int]:
        path = f"/v1/bots/{bot}/status"
        answers = [
            await self.scene.stranger.send("POST", path, body, **headers) for _ in "x" * times
        ]
        return [answer.status_code for answer in answers]

    def signed(
        self, body: bytes, name: str, secret: str = "", after: timedelta = timedelta(0)
    ) -> dict[str, str]:
        at = self.scene.acme.stage.now + after
        return signing.headers(name, at, body, [secret or self.secret])

    async def status(self, bot: str) -> str:
        return str((await self.scene.acme.tenant.get(f"/v1/bots/{bot}")).json()["status"])


def said(scene: Scene, kind: str = "bot.joined", **data: object) -> bytes:
    at = scene.acme.stage.now
    return msgspec.json.encode({"type": kind, "timestamp": at, "data": data})


@pytest.fixture
async def bench(scene: Scene) -> Bench:
    secret = note(scene.acme.stage.world, "fleet", FleetState).config.callback_secret
    rows = (await scene.acme.tenant.get("/v1/bots")).json()["results"]
    names = [row["id"] for row in rows]
    assert len(names) > 1
    return Bench(scene=scene, first=names[0], second=names[1], secret=secret)


async def test_a_report_that_is_not_signed_or_signed_by_another_is_refused(
    bench: Bench, untouched: Party
) -> None:
    body = said(bench.scene)
    hook = {"url": "https://acme.example/hook", "events": ["*"]}
    own = (await bench.scene.mallory.tenant.post("/v1/webhook-endpoints", hook)).json()["secret"]
    good = bench.signed(body, "msg_1")
    for headers in (
        {},
        {**good, "webhook-signature": ""},
        {**good, "webhook-signature": "v1,"},
        {**good, "webhook-signature": "v1,AAAA v1a,AAAA"},
        {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
        {**good, "webhook-signature": " ".join(["v1,AAAA"] * 5000)},
        {**good, "webhook-id": "msg_2"},
        {**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)},
        {**good, "webhook-timestamp": "1e9"},
        {**good, "webhook-timestamp": "-1"},
        bench.signed(body, "msg_1", "whsec_AAAA"),
        bench.signed(body, "msg_1", own),
        bench.signed(body + b" ", "msg_1"),
    ):
        assert await bench.report(bench.first, body, headers) == [401], headers
    del untouched


async def test_a_report_that_is_too_old_or_from_the_future_is_refused(
    bench: Bench, untouched: Party
) -> None:
    body = said(bench.scene)
    for minutes in (-6, 6, -525_600, 52_560_000):
        headers = bench.signed(body, "msg_1", after=timedelta(minutes=minutes))
        assert await bench.report(bench.first, body, headers) == [401], minutes
    del untouched


async def test_a_captured_report_cannot_be_taken_to_another_bots_address(bench: Bench) -> None:
    body = said(bench.scene, "bot.failed", reason="captured")
    headers = bench.signed(body, "msg_captured")
    before = await bench.status(bench.second)

    own = await bench.report(bench.first, body, headers, times=2)
    others = await bench.report(bench.second, body, headers)

    assert (own, others) == ([204, 204], [401])
    assert await bench.status(bench.second) == before


async def test_a_report_on_a_bot_that_is_nobodys_is_refused(bench: Bench, untouched: Party) -> None:
    body = said(bench.scene)
    for name in ("bot_0", "%2e%2e", bench.first + "x", bench.first.upper()):
        answers = await bench.report(name, body, bench.signed(body, f"msg_{len(name)}"))
        assert answers == [404], name
    del untouched


async def test_a_genuine_report_with_nonsense_in_it_is_refused_and_changes_nothing(
    bench: Bench, untouched: Party
) -> None:
    at = bench.scene.acme.stage.now
    nonsense: list[bytes] = [
        *RUBBISH,
        msgspec.json.encode({"type": "bot.exploded", "timestamp": at}),
        msgspec.json.encode({"type": "bot.joined", "timestamp": "yesterday"}),
        msgspec.json.encode({"type": "bot.joined", "timestamp": at, "data": []}),
        msgspec.json.encode(
            {"type": "bot.completed", "timestamp": at, "data": {"duration_seconds": -1}}
        ),
        msgspec.json.encode(
            {"type": "bot.completed", "timestamp": at, "data": {"recording_url": "x" * 20_000}}
        ),
    ]
    for number, body in enumerate(nonsense):
        headers = bench.signed(body, f"msg_nonsense{number}")
        assert await bench.report(bench.first, body, headers) == [422], body[:40]
    del untouched


async def test_an_address_in_a_report_is_passed_on_and_never_called(bench: Bench) -> None:
    world = bench.scene.acme.stage.world
    where = f"{bench.scene.acme.stage.sandbox_url}/customer/received?stolen=1"
    body = said(bench.scene, "bot.completed", recording_url=where, transcript_url=where)
    before = [one for one in world.journal.asked if "received" in str(one)]

    assert await bench.report(bench.first, body, bench.signed(body, "msg_address")) == [204]
    await bench.scene.acme.stage.settle()

    assert [one for one in world.journal.asked if "received" in str(one)] == before


async def test_a_report_for_a_fleet_that_is_not_ours_finds_nothing(
    scene: Scene, untouched: Party
) -> None:
    for fleet in ("recall", "meetbot", "%2e%2e", "x" * 300):
        answer = await scene.stranger.post(f"/v1/fleets/{fleet}/reports", {"event": "x"})
        assert answer.status_code in (401, 404), fleet
    del untouched
