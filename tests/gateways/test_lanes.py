"""Connections that are opened ahead: fast when it counts, and as careful as any other."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.errors import GiveUp, MeetbotError, OutcomeUnknown, TryLater
from meetbot_calendar.gateways.lanes import Lanes
from meetbot_calendar.gateways.transport import Transport, open_transport
from tests.loopback import FarEnd, Heard, Script, answer, listening, says


@asynccontextmanager
async def fleet(script: Script, most: int = 50) -> AsyncIterator[tuple[Transport, Lanes, FarEnd]]:
    async with listening(script) as end:
        lanes = Lanes(f"{end.url}/fleet", most=most)
        async with open_transport(lanes=[lanes]) as transport:
            yield transport, lanes, end


async def test_a_request_is_written_and_answered_as_over_any_other_connection() -> None:
    async with fleet(says(b'{"id": "fb_1"}', 201, {"X-Kind": "odd"})) as (transport, _, end):
        got = await transport.request(
            "POST", f"{end.url}/fleet/bots?x=1", headers={"Authorization": "Bearer k"}, json={}
        )

    (heard,) = end.heard
    assert (heard.method, heard.target, heard.body) == ("POST", "/fleet/bots?x=1", b"{}")
    assert heard.headers == {
        "host": f"127.0.0.1:{end.port}",
        "user-agent": "meetbot-calendar",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "authorization": "Bearer k",
        "content-length": "2",
    }
    assert (got.status, got.headers["x-kind"], got.json()) == (201, "odd", {"id": "fb_1"})


async def test_many_at_once_are_answered_each_its_own_on_connections_opened_before() -> None:
    opened: set[object] = set()

    async def echo(heard: Heard, writer: asyncio.StreamWriter) -> None:
        opened.add(writer)
        writer.write(answer(heard.body))

    async with fleet(echo) as (transport, lanes, end):
        await lanes.warm(20)
        asked = [
            transport.request("POST", f"{end.url}/fleet/bots", content=str(number).encode())
            for number in range(100)
        ]
        got = await asyncio.gather(*asked)

    assert [each.body for each in got] == [str(number).encode() for number in range(100)]
    assert len(opened) <= 50


async def test_no_more_connections_are_opened_than_may_be() -> None:
    opened: set[object] = set()

    async def count(_: Heard, writer: asyncio.StreamWriter) -> None:
        opened.add(writer)
        writer.write(answer())

    async with fleet(count, most=3) as (transport, lanes, end):
        await lanes.warm(10)
        posts = [transport.request("GET", f"{end.url}/fleet/bots") for _ in range(10)]
        await asyncio.gather(*posts)

    assert (len(end.heard), len(opened)) == (10, 3)


async def hang_up(_: Heard, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def cut(_: Heard, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"x" * 100)[:-50])
    writer.close()


async def babble(_: Heard, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n\r\n")


async def say_nothing(_: Heard, writer: asyncio.StreamWriter) -> None:
    del writer


@pytest.mark.parametrize("script", [hang_up, cut, babble, say_nothing])
async def test_what_was_asked_and_not_answered_has_an_unknown_outcome(script: Script) -> None:
    async with fleet(script) as (transport, _, end):
        with pytest.raises(OutcomeUnknown):
            await transport.request("POST", f"{end.url}/fleet/bots", timeout=0.3)


async def test_a_host_that_cannot_be_reached_was_not_asked() -> None:
    url = f"http://127.0.0.1:{free_port()}/fleet"
    lanes = Lanes(url)
    async with open_transport(lanes=[lanes]) as transport:
        await lanes.warm(3)
        with pytest.raises(MeetbotError) as raised:
            await transport.request("POST", f"{url}/bots?token=hush")

    assert (type(raised.value), raised.value.code) == (TryLater, "unreachable")
    assert "hush" not in raised.value.detail


async def test_a_connection_that_was_hung_up_on_as_it_rested_is_not_used() -> None:
    async def close_after(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer())
        await writer.drain()
        writer.close()

    async with fleet(close_after) as (transport, _, end):
        for _ in range(3):
            got = await transport.request("GET", f"{end.url}/fleet/bots")
            assert got.status == 200
            await asyncio.sleep(0)  # the far end's farewell arrives


async def test_a_request_that_is_no_http_is_given_up() -> None:
    async with fleet(says()) as (transport, _, end):
        with pytest.raises(GiveUp):
            await transport.request("GET", f"{end.url}/fleet/x", headers={"x-bad": "a\r\nb: c"})

    assert end.heard == []


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"x" * 2000, {}), (gzip.compress(b"x" * 100_000), {"content-encoding": "gzip"})],
    ids=["plain", "a bomb"],
)
async def test_no_more_is_read_than_was_allowed(body: bytes, headers: dict[str, str]) -> None:
    async with fleet(says(body, headers=headers)) as (transport, _, end):
        with pytest.raises(OutcomeUnknown) as raised:
            await transport.request("GET", f"{end.url}/fleet/bots", max_bytes=1000)

    assert raised.value.code == "answer_too_large"


async def test_only_what_lies_beneath_the_fleets_address_uses_its_connections() -> None:
    lanes = Lanes("https://fleet.example/v1/")

    assert lanes.lead_to("https://fleet.example/v1/bots")
    assert not lanes.lead_to("https://fleet.example/v10/bots")
    assert not lanes.lead_to("https://fleet.example.evil.test/v1/bots")


@pytest.mark.parametrize(
    ("asked", "params", "target"),
    [
        ("/fleet/events", {"a": "x y", "b": "ü&="}, "/fleet/events?a=x+y&b=%C3%BC%26%3D"),
        ("/fleet/events?a=1&c=2", {"a": "3"}, "/fleet/events?c=2&a=3"),
        ("/fleet/events?token=a%2Bb%3D", None, "/fleet/events?token=a%2Bb%3D"),
    ],
)
async def test_parameters_join_those_of_the_address(
    asked: str, params: dict[str, str] | None, target: str
) -> None:
    async with fleet(says(b"{}")) as (transport, _, end):
        await transport.request("GET", f"{end.url}{asked}", params=params)

    assert [heard.target for heard in end.heard] == [target]


async def test_an_address_that_must_be_spelt_otherwise_goes_the_other_way() -> None:
    async with fleet(says(b"{}")) as (transport, lanes, end):
        odd = [f"{end.url}/fleet/{name}" for name in ("a b", "\u00fc", "a\tb")]
        await transport.request("GET", odd[0])

    assert [lanes.lead_to(url) for url in odd] == [False, False, False]
    assert [heard.target for heard in end.heard] == ["/fleet/a%20b"]


async def test_a_name_that_would_lead_to_another_place_is_not_asked_for() -> None:
    async with fleet(says(b"{}")) as (transport, _, end):
        with pytest.raises(GiveUp):
            await transport.request("GET", f"{end.url}/fleet/../admin")

    assert end.heard == []
