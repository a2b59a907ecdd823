"""Push channels and their notifications (providers.md section 3)."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from meetbot_calendar.sandbox import edits
from tests.loopback import FarEnd, listening, says
from tests.sandbox.site import ANN, BOB, NOW, Reader, Site, berlin

WATCH = "/calendars/primary/events/watch"
WEEK = timedelta(days=7)
URI = f"https://www.googleapis.com/calendar/v3/calendars/{ANN}/events?alt=json"


def hold(site: Site) -> str:
    return site.world.add_meeting(ANN, "Plan", berlin(23, 10), berlin(23, 11)).id


async def watch(reader: Reader, end: FarEnd | None = None, **body: Any) -> httpx.Response:
    address = f"{end.url}/hook" if end else "https://127.0.0.1:1/hook"
    return await reader.post(WATCH, {"id": "c1", "type": "web_hook", "address": address} | body)


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


async def test_a_channel_answers_with_a_resource_and_a_text_expiration(site: Site) -> None:
    reader = await site.reader()
    async with listening(says(b"", 204)) as end:
        answer = await watch(reader, end, token="secret")

    body = answer.json()
    assert (answer.status_code, len(body.pop("resourceId"))) == (200, 27)
    assert body == {
        "kind": "api#channel",
        "id": "c1",
        "resourceUri": URI,
        "token": "secret",
        "expiration": str(int((NOW + WEEK).timestamp() * 1000)),
    }


async def test_the_sync_message_comes_before_the_answer(site: Site) -> None:
    reader = await site.reader()
    async with listening(says(b"")) as end:
        answer = await watch(reader, end, token="secret")
        heard = list(end.heard)

    (sync,) = heard
    found = {k: v for k, v in sync.headers.items() if k.startswith(("x-goog", "content-"))}
    assert (sync.method, sync.target, sync.body) == ("POST", "/hook", b"")
    assert found == {
        "content-type": "application/json; utf-8",
        "content-length": "0",
        "x-goog-channel-id": "c1",
        "x-goog-message-number": "1",
        "x-goog-resource-id": answer.json()["resourceId"],
        "x-goog-resource-state": "sync",
        "x-goog-resource-uri": URI,
        "x-goog-channel-token": "secret",
        "x-goog-channel-expiration": "Fri, 27 Nov 2026 12:00:00 GMT",
    }


async def test_an_ordered_late_sync_comes_after_the_answer(site: Site) -> None:
    reader = await site.reader()
    site.world.faults.add("google.watch", "sync_late")
    async with listening(says(b"")) as end:
        await watch(reader, end)
        before = len(end.heard)
        await site.world.courier.settle()

        assert (before, len(end.heard)) == (0, 1)


async def test_every_kind_of_change_is_exists_with_growing_numbers(site: Site) -> None:
    reader = await site.reader()
    async with listening(says(b"", 202)) as end:
        await watch(reader, end)
        made = hold(site)
        edits.change_link(site.world, made, "https://meet.google.com/aaa-bbbb-ccc")
        edits.cancel(site.world, made)
        await site.world.courier.settle()
        heard = end.heard[1:]

    numbers = sorted(int(each.headers["x-goog-message-number"]) for each in heard)
    assert [each.headers["x-goog-resource-state"] for each in heard] == ["exists"] * 3
    assert numbers[0] > 1
    assert len(set(numbers)) == 3
    assert site.world.state.watches["c1"].delivered == 4


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_errors_are_tried_again(site: Site, status: int) -> None:
    reader = await site.reader()
    async with listening(says(b"", status)) as end:
        site.world.faults.add("google.push", "drop")
        await watch(reader, end)
        hold(site)
        while len(end.heard) < 3:
            site.world.clock.advance(timedelta(seconds=1))
            await asyncio.sleep(0)

    numbers = {each.headers["x-goog-message-number"] for each in end.heard}
    assert len(numbers) == 1


@pytest.mark.parametrize("status", [301, 400, 404, 410, 429])
async def test_any_other_answer_loses_the_message(site: Site, status: int) -> None:
    reader = await site.reader()
    async with listening(says(b"", status)) as end:
        await watch(reader, end)
        await site.world.courier.settle()

        assert (len(end.heard), site.world.state.watches["c1"].lost) == (1, 1)


async def test_an_ordered_drop_sends_nothing(site: Site) -> None:
    reader = await site.reader()
    async with listening(says(b"")) as end:
        await watch(reader, end)
        site.world.faults.add("google.push", "drop")
        hold(site)
        await site.world.courier.settle()

        assert len(end.heard) == 1


async def test_nobody_listening_harms_nobody(site: Site) -> None:
    reader = await site.reader()
    async with listening(says(b"")) as end:
        await watch(reader, end)
    hold(site)
    await site.world.courier.settle()

    assert site.world.state.watches["c1"].lost == 1


async def test_a_channel_is_silent_after_its_expiry(site: Site) -> None:
    reader = await site.reader()
    async with listening(says(b"")) as end:
        await watch(reader, end, expiration=int((NOW + timedelta(hours=1)).timestamp() * 1000))
        site.world.clock.advance(timedelta(hours=1))
        hold(site)
        await site.world.courier.settle()

        assert len(end.heard) == 1


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({"expiration": str(int((NOW + timedelta(hours=2)).timestamp() * 1000))}, 7200),
        ({"params": {"ttl": "600"}}, 600),
        ({"expiration": int((NOW + 4 * WEEK).timestamp() * 1000)}, 604_800),
    ],
)
async def test_the_server_takes_the_smaller_expiry(
    site: Site, asked: dict[str, Any], given: int
) -> None:
    reader = await site.reader()

    answer = await watch(reader, **asked)

    wanted = int((NOW + timedelta(seconds=given)).timestamp() * 1000)
    assert answer.json()["expiration"] == str(wanted)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"address": "http://hooks.example.com/x"}, (400, "push.webhookUrlNotHttps")),
        ({"address": "ftp://127.0.0.1/x"}, (400, "push.webhookUrlNotHttps")),
        ({"address": ""}, (400, "required")),
        ({"id": "x" * 65}, (400, "invalid")),
        ({"token": "x" * 257}, (400, "invalid")),
        ({"type": "pigeon"}, (400, "invalid")),
        ({"expiration": "soon"}, (400, "invalid")),
        ({"expiration": 1}, (400, "invalid")),
        ({"id": 5}, (400, "parseError")),
    ],
)
async def test_a_wrong_channel_is_refused(
    site: Site, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    reader = await site.reader()

    assert reason(await watch(reader, **body)) == refusal
    assert site.world.state.watches == {}


async def test_an_id_is_used_once(site: Site) -> None:
    reader = await site.reader()
    await watch(reader)

    assert reason(await watch(reader)) == (400, "channelIdNotUnique")


async def test_a_generated_calendar_cannot_be_watched(site: Site) -> None:
    ann = site.world.directory.account("google", ANN)
    assert ann
    holidays = "de.german#holiday@group.v.calendar.google.com"
    site.world.directory.add_calendar(ann, "Feiertage", holidays, generated=True)
    reader = await site.reader()

    answer = await reader.post(
        "/calendars/de.german%23holiday%40group.v.calendar.google.com/events/watch",
        {"id": "c1", "type": "web_hook", "address": "https://127.0.0.1:1/hook"},
    )

    error = answer.json()["error"]["errors"][0]
    assert answer.status_code == 400
    assert error == {
        "domain": "calendar",
        "reason": "pushNotSupportedForRequestedResource",
        "message": "Push notifications are not supported by this resource.",
    }


async def test_only_its_maker_may_stop_a_channel_and_once(site: Site) -> None:
    ann, bob = await site.reader(ANN), await site.reader(BOB)
    body = (await watch(ann)).json()
    stop = {"id": "c1", "resourceId": body["resourceId"]}

    foreign = await bob.post("/channels/stop", stop)
    wrong = await ann.post("/channels/stop", stop | {"resourceId": "other"})
    done = await ann.post("/channels/stop", stop)
    again = await ann.post("/channels/stop", stop)

    assert (reason(foreign), reason(wrong), reason(again)) == ((404, "notFound"),) * 3
    assert (done.status_code, done.content) == (204, b"")


async def test_a_channel_runs_on_after_its_grant_is_revoked_but_not_without_access(
    site: Site,
) -> None:
    reader = await site.reader(BOB)
    bob = site.world.directory.account("google", BOB)
    assert bob
    calendar = site.world.state.calendars[ANN]
    site.world.directory.share(calendar, bob, "reader")
    async with listening(says(b"")) as end:
        await reader.post(
            f"/calendars/{ANN}/events/watch",
            {"id": "c1", "type": "web_hook", "address": f"{end.url}/hook"},
        )
        site.world.grants.revoke_account(bob.key)
        hold(site)
        await site.world.courier.settle()
        after_revoke = len(end.heard)
        site.world.directory.unshare(calendar, bob)
        hold(site)
        await site.world.courier.settle()

        assert (after_revoke, len(end.heard)) == (2, 2)


async def test_event_types_narrow_a_channel(site: Site) -> None:
    reader = await site.reader()
    async with listening(says(b"")) as end:
        body = {"id": "c1", "type": "web_hook", "address": f"{end.url}/hook"}
        await reader.post(f"{WATCH}?eventTypes=focusTime", body)
        hold(site)
        await site.world.courier.settle()

        assert len(end.heard) == 1
