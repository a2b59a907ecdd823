import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.errors import GiveUp, OutcomeUnknown, TryLater
from meetbot_calendar.gateways.transport import Answer, Transport, open_transport, retry_after
from tests.loopback import Heard, answer, listening, says

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with open_transport() as opened:
        yield opened


async def test_an_answer_comes_whole_with_lower_case_headers(transport: Transport) -> None:
    async with listening(says(b'{"a": 1}', 404, {"X-Kind": "odd"})) as end:
        got = await transport.request("GET", f"{end.url}/thing")

    assert got == Answer(
        status=404,
        headers={"content-type": "application/json", "content-length": "8", "x-kind": "odd"},
        body=b'{"a": 1}',
    )
    assert got.json() == {"a": 1}
    assert not got.is_success


async def test_json_and_parameters_are_sent_beside_what_the_address_already_says(
    transport: Transport,
) -> None:
    async with listening(says()) as end:
        await transport.request(
            "POST", f"{end.url}/x?keep=1%2F2", params=[("a", "1"), ("a", "2")], json={"b": True}
        )
        await transport.request("GET", f"{end.url}/x?$deltatoken=a%2Bb~c")
        await transport.request("POST", f"{end.url}/form", form={"grant_type": "a b"})

    assert [(h.method, h.target, h.headers.get("content-type"), h.body) for h in end.heard] == [
        ("POST", "/x?keep=1%2F2&a=1&a=2", "application/json", b'{"b":true}'),
        ("GET", "/x?$deltatoken=a%2Bb~c", None, b""),
        ("POST", "/form", "application/x-www-form-urlencoded", b"grant_type=a+b"),
    ]


async def test_a_refused_connection_never_reached_the_other_side(transport: Transport) -> None:
    with pytest.raises(TryLater) as raised:
        await transport.request("POST", f"http://127.0.0.1:{free_port()}/?token=hush")

    assert type(raised.value) is TryLater
    assert raised.value.code == "unreachable"
    assert "hush" not in raised.value.detail


async def test_a_handshake_that_never_ends_never_reached_the_other_side(
    transport: Transport,
) -> None:
    async with listening(says()) as end:
        with pytest.raises(TryLater) as raised:
            await transport.request("POST", f"https://127.0.0.1:{end.port}/", timeout=0.2)

    assert (type(raised.value), raised.value.code) == (TryLater, "unreachable")


async def test_a_hang_up_after_the_request_leaves_its_outcome_unknown(transport: Transport) -> None:
    async def hang_up(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(hang_up) as end:
        with pytest.raises(OutcomeUnknown):
            await transport.request("POST", end.url, json={})


async def test_an_answer_cut_short_leaves_the_outcome_unknown(transport: Transport) -> None:
    async def cut(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"x" * 100)[:-50])
        writer.close()

    async with listening(cut) as end:
        with pytest.raises(OutcomeUnknown):
            await transport.request("POST", end.url, json={})


async def test_the_time_limit_bounds_an_answer_that_drips(transport: Transport) -> None:
    async def drip(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)  # the far end is slow, not the test

    async with listening(drip) as end:
        with pytest.raises(OutcomeUnknown):
            await transport.request("GET", end.url, timeout=0.3)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 2000, {}),
        (gzip.compress(b"x" * 100_000), {"content-encoding": "gzip"}),
    ],
    ids=["plain", "a bomb"],
)
async def test_no_more_is_read_than_was_allowed(
    transport: Transport, body: bytes, headers: dict[str, str]
) -> None:
    async with listening(says(body, headers=headers)) as end:
        with pytest.raises(OutcomeUnknown) as raised:
            await transport.request("GET", end.url, max_bytes=1000)

    assert raised.value.code == "answer_too_large"


async def test_a_compressed_answer_is_unpacked(transport: Transport) -> None:
    packed = gzip.compress(b'{"a": "' + b"x" * 900 + b'"}')

    async with listening(says(packed, headers={"content-encoding": "gzip"})) as end:
        got = await transport.request("GET", end.url, max_bytes=1000)

    assert got.json() == {"a": "x" * 900}
    assert end.heard[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("broken", [b"not gzip", gzip.compress(b"x" * 99)[:-9]])
async def test_broken_compression_is_an_answer_that_never_came(
    transport: Transport, broken: bytes
) -> None:
    async with listening(says(broken, headers={"content-encoding": "gzip"})) as end:
        with pytest.raises(OutcomeUnknown):
            await transport.request("GET", end.url)


async def test_redirects_are_handed_back_and_cookies_are_not_kept(transport: Transport) -> None:
    headers = {"location": "/elsewhere", "set-cookie": "who=you; path=/"}

    async with listening(says(b"", 302, headers)) as end:
        first = await transport.request("GET", end.url)
        await transport.request("GET", end.url)

    assert first.status == 302
    assert [h.target for h in end.heard] == ["/", "/"]
    assert all("cookie" not in h.headers for h in end.heard)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://[::1", "no address"])
async def test_what_is_no_web_address_will_never_work(transport: Transport, url: str) -> None:
    with pytest.raises(GiveUp) as raised:
        await transport.request("GET", url)

    assert raised.value.code == "malformed_request"


async def test_a_header_that_would_smuggle_a_line_is_not_sent(transport: Transport) -> None:
    async with listening(says()) as end:
        with pytest.raises(GiveUp):
            await transport.request("GET", end.url, headers={"x-a": "1\r\nx-b: 2"})

    assert end.heard == []


async def test_query_strings_and_bodies_are_never_logged(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async with listening(says(b'"hush"')) as end:
        await transport.request(
            "POST", f"{end.url}/?token=hush", json="hush", headers={"authorization": "hush"}
        )

    assert "hush" not in caplog.text


@pytest.mark.parametrize(
    ("status", "content_type", "error"),
    [
        (200, "text/html; charset=utf-8", TryLater),
        (502, "text/plain", TryLater),
        (429, "text/plain", TryLater),
        (200, "application/json", GiveUp),
        (404, "text/plain", GiveUp),
    ],
)
def test_a_body_that_is_not_json_is_a_passing_page_or_not_our_api(
    status: int, content_type: str, error: type[Exception]
) -> None:
    got = Answer(status=status, headers={"content-type": content_type}, body=b"<p>")

    with pytest.raises(error) as raised:
        got.json()

    assert type(raised.value) is error


def test_json_nested_beyond_reason_is_unreadable_and_not_a_crash() -> None:
    got = Answer(status=200, headers={}, body=b"[" * 100_000)

    with pytest.raises(GiveUp):
        got.json()


def test_an_answer_shows_nothing_of_its_body() -> None:
    assert repr(Answer(status=200, headers={"a": "b"}, body=b"hush")) == "Answer(200, 4 bytes)"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "120"}, timedelta(minutes=2)),
        ({"retry-after": " 1.5 "}, timedelta(seconds=1.5)),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, timedelta(seconds=30)),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, timedelta(0)),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 13:00:30 GMT",
                "date": "Fri, 20 Nov 2026 13:00:20 GMT",
            },
            timedelta(seconds=10),
        ),
        ({"retry-after": "999999999"}, timedelta(days=30)),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_asked_for_wait_is_read_as_seconds_or_as_a_date(
    headers: dict[str, str], expected: timedelta | None
) -> None:
    assert retry_after(Answer(status=503, headers=headers, body=b""), NOON) == expected
