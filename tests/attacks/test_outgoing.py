"""Attempts to turn what we send outward inward, or to make us wait, swell or tell."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from meetbot_calendar.calendars.model import Grant, Window
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.deliveries.address_guard import check_url
from meetbot_calendar.errors import GiveUp, MeetbotError, OutcomeUnknown, Refused, TryLater
from meetbot_calendar.gateways.endpoints import EndpointPoster, open_endpoints
from meetbot_calendar.gateways.google.client import GoogleProvider
from meetbot_calendar.gateways.google.oauth import GoogleEndpoints
from meetbot_calendar.gateways.microsoft.graph import Graph
from meetbot_calendar.gateways.rounds import Limits
from meetbot_calendar.gateways.transport import open_transport
from meetbot_calendar.settings import Settings, SettingsInvalid
from tests.attacks.scene import Scene
from tests.fixed_clock import NOON
from tests.journeys.surroundings import plainly
from tests.loopback import FarEnd, Heard, answer, listening, says

# Each leads, in some resolver, parser or network, to this machine, its neighbours or its cloud.
INWARD = [
    "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
    "https://0x7f.1/", "https://0177.0.0.1/", "https://017700000001/", "https://127.0.0.1./",
    "https://127.0.0.1.nip.io./", "https://0/", "https://0.0.0.0/", "https://10.1.2.3/",
    "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/v2/credentials", "https://100.100.100.200/", "https://168.63.129.16/",
    "https://100.64.0.1/", "https://192.0.0.192/", "https://198.18.0.1/", "https://224.0.0.1/",
    "https://255.255.255.255/", "https://[::]/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::7f00:1]/", "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/",
    "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[100::1]/", "https://[3fff::1]/",
    "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://x.localhost/",
    "https://metadata/", "https://metadata.google.internal/", "https://printer.local/",
    "https://router.lan/", "https://nas.home.arpa/", "https://\uff11\uff12\uff17.0.0.1/",
    "https://127。0。0。1/", "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://%6c%6f%63alhost/",
    "https://127.0.0.1%2f.acme.example/", "https://acme.example@127.0.0.1/",
    "https://127.0.0.1:443@acme.example/", "https://acme.example#@127.0.0.1/",
    "https://acme.example\\@127.0.0.1/", "https://acme.example\t.evil/", "https://a b/",
    "https:///127.0.0.1/", "https:127.0.0.1/", "//127.0.0.1/", "http://acme.example/",
    "ftp://acme.example/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript:alert(1)", "data:text/plain,x", "https://acme.example:22/",
    "https://acme.example:0/", "https://acme.example:99999/",
    "https://acme.example:-1/", "https://acme.example:x/", "https://", "https://./",
    "https://acme..example/", "https://.acme.example/", "https://acme.example\r\nx: y/",
    "https://[::1", "https://[]/", "https://[127.0.0.1]/", "https://" + "a" * 3000 + ".example/",
]  # fmt: skip

RESOLVED_INWARD = [
    "127.0.0.1", "10.0.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "168.63.129.16", "192.0.2.1", "198.18.0.1",  # noqa: S104
    "::1", "::", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::1",
    "2001:0:a00:1::1", "fe80::1", "fe80::1%lo", "fd00:ec2::254", "ff02::1", "fec0::1", "::10.0.0.1",
    "not an address", "",
]  # fmt: skip


@pytest.mark.parametrize("url", INWARD)
def test_an_address_that_leads_inward_in_whatever_spelling_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        check_url(url, allow_private=False)


async def test_an_endpoint_that_leads_inward_is_refused_at_the_door_with_its_place(
    scene: Scene,
) -> None:
    for url in ("https://169.254.169.254/", "https://0x7f.1/", "https://[::ffff:1.2.3.4%1]/"):
        for body in ({"url": url, "events": ["*"]}, {"url": url, "events": ["bot.joined"]}):
            answer = await scene.mallory.tenant.post("/v1/webhook-endpoints", body)
            assert answer.status_code == 422, url
            assert answer.json()["errors"][0]["pointer"] == "/url"


@asynccontextmanager
async def posting(
    resolved: Sequence[Sequence[str]], *, allow_private: bool = False, time_limit: float = 5
) -> AsyncIterator[tuple[EndpointPoster, list[str]]]:
    """Open a poster whose names resolve to one list after the other."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        del port
        asked.append(host)
        return resolved[min(len(asked), len(resolved)) - 1]

    async with open_endpoints(
        allow_private=allow_private, time_limit=time_limit, resolve=resolve
    ) as poster:
        yield poster, asked


@pytest.mark.parametrize("address", RESOLVED_INWARD)
async def test_a_name_that_resolves_inward_is_not_called(address: str) -> None:
    async with posting([[address], ["93.184.215.14", address]]) as (poster, asked):
        answers = [await poster.post("https://rebind.example/", {}, b"{}") for _ in range(2)]

    assert [a.status_code for a in answers] == [None, None]
    assert all("address_refused" in str(a.error) for a in answers)
    assert len(asked) == 2


async def test_a_name_is_asked_once_and_called_where_it_was_vetted() -> None:
    async with listening(says(), host="127.0.0.1") as inside:
        first, second = ["127.0.0.1"], ["169.254.169.254"]
        async with posting([first, second], allow_private=True) as (poster, asked):
            answered = await poster.post(f"http://rebind.example:{inside.port}/", {}, b"{}")

    assert (answered.status_code, len(asked)) == (200, 1)
    assert inside.heard[0].headers["host"] == f"rebind.example:{inside.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_nowhere(status: int) -> None:
    async with listening(says()) as inside:
        to = {"location": f"{inside.url}/stolen"}
        async with (
            listening(says(b"", status, to)) as far,
            posting([["127.0.0.1"]], allow_private=True) as (poster, _),
        ):
            answered = await poster.post(f"{far.url}/", {"webhook-id": "x"}, b"{}")

    assert (answered.status_code, inside.heard) == (status, [])


async def _drip(_: Heard, writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _endless(_: Heard, writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _number in range(2000):
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()


async def _headers(_: Heard, writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        writer.write(f"x-{number}: {'y' * 100}\r\n".encode())
        await writer.drain()


async def _silence(_: Heard, writer: Any) -> None:
    del writer
    await asyncio.Event().wait()


async def _continues(_: Heard, writer: Any) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("script", [_drip, _endless, _headers, _silence, _continues])
async def test_an_endpoint_that_never_comes_to_an_end_costs_little_time_and_room(
    script: Any,
) -> None:
    loop = asyncio.get_running_loop()
    async with (
        listening(script) as far,
        posting([["127.0.0.1"]], allow_private=True, time_limit=0.6) as (poster, _),
    ):
        begun = loop.time()
        answered = await poster.post(f"{far.url}/", {}, b"{}")

    assert loop.time() - begun < 3
    assert len(answered.excerpt or "") <= 512


async def test_a_small_answer_that_unpacks_to_a_huge_one_is_kept_packed() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    async with (
        listening(says(bomb, headers={"content-encoding": "gzip"})) as far,
        posting([["127.0.0.1"]], allow_private=True) as (poster, _),
    ):
        answered = await poster.post(f"{far.url}/", {}, b"{}")

    assert far.heard[0].headers["accept-encoding"] == "identity"
    assert len(answered.excerpt or "") <= 512


async def test_a_provider_that_answers_with_a_bomb_is_cut_off() -> None:
    bomb = gzip.compress(b"[" * 50_000_000)
    async with (
        listening(says(bomb, headers={"content-encoding": "gzip"})) as far,
        open_transport(plainly()) as transport,
    ):
        with pytest.raises(OutcomeUnknown, match="longer than"):
            await transport.request("GET", far.url)


async def test_neither_proxies_of_the_environment_nor_redirects_lead_a_bearer_elsewhere() -> None:
    async with listening(says()) as inside:
        to = {"location": f"{inside.url}/stolen"}
        async with listening(says(b"", 302, to)) as far, open_transport(plainly()) as transport:
            found = await transport.request("GET", far.url, headers={"authorization": "Bearer x"})

    assert (found.status, inside.heard) == (302, [])


@pytest.mark.parametrize(
    "link",
    [
        "{evil}/v1.0/me/calendarView/delta?$skiptoken=1",
        "{graph}.evil.example/v1.0/me",
        "http://graph@{host}/me",
        "//{host}/me",
        "\\\\{host}\\me",
        "ftp://{host}/me",
        "{graph}@evil.example/me",
        "https://evil.example/{graph}",
    ],
)
async def test_a_next_link_that_leads_elsewhere_is_not_followed_with_the_bearer(
    link: str,
) -> None:
    async with listening(says()) as evil, open_transport(plainly()) as transport:
        graphs: list[FarEnd] = []

        async def first(_: Heard, writer: Any) -> None:
            written = link.format(
                evil=evil.url, graph=graphs[0].url, host=urlsplit(evil.url).netloc
            )
            body = f'{{"value": [], "@odata.nextLink": "{written}"}}'.replace("\\", "\\\\")
            writer.write(answer(body.encode()))

        async with listening(first) as graph_end:
            graphs.append(graph_end)
            graph = Graph(transport, f"{graph_end.url}/v1.0", page_size=5, limits=Limits())
            with pytest.raises((TryLater, GiveUp)):
                await graph.mailbox(_grant()).rows("/me/calendars", "account")

    assert evil.heard == []
    assert len(graph_end.heard) == 1


def _grant() -> Grant:
    return Grant(refresh_token="r", access_token="a", expires_at=NOON, scopes=())


@pytest.mark.parametrize("name", ["..", "../../users/me", "a/b", "?x=y", "#", "%2e%2e", "@evil"])
async def test_a_calendars_id_stays_within_its_place_in_the_path(name: str) -> None:
    async with listening(says(b'{"items": []}')) as far, open_transport(plainly()) as transport:
        provider = GoogleProvider(transport, GoogleEndpoints(api_url=f"{far.url}/calendar/v3"))
        ref = CalendarRef(platform_id=name, account_id="a@b.c")
        with suppress(MeetbotError):
            async for _ in provider.changes(_grant(), ref, cursor=None, window=Window(NOON, NOON)):
                pass

    assert bool(far.heard) == (name != "..")
    for heard in far.heard:
        path = heard.target.partition("?")[0]
        assert path.startswith("/calendar/v3/calendars/")
        assert path.endswith("/events")
        assert path.count("/") == 5


@pytest.mark.parametrize(
    "name",
    [
        "MEETBOT_GOOGLE_AUTH_URL", "MEETBOT_GOOGLE_TOKEN_URL", "MEETBOT_GOOGLE_REVOKE_URL",
        "MEETBOT_GOOGLE_USERINFO_URL", "MEETBOT_GOOGLE_API_URL", "MEETBOT_MICROSOFT_AUTHORITY",
        "MEETBOT_GRAPH_URL", "MEETBOT_FLEET_URL",
    ],
)  # fmt: skip
def test_a_provider_or_fleet_is_not_spoken_to_in_the_clear(name: str, tmp_path: Any) -> None:
    for url in ("http://evil.example", "http://127.0.0.1.evil.example", "http://10.0.0.1"):
        with pytest.raises(SettingsInvalid, match=name):
            Settings.load({name: url}, tmp_path)
    Settings.load({name: "http://127.0.0.1:8010/x"}, tmp_path)


async def test_a_message_of_one_tenant_is_never_answered_by_anothers_connection() -> None:
    async with (
        listening(says()) as far,
        posting([["127.0.0.1"]], allow_private=True) as (poster, _),
    ):
        for _ in range(2):
            await poster.post(f"{far.url}/", {}, b"{}")

    assert [heard.headers["connection"] for heard in far.heard] == ["close", "close"]


async def test_a_header_of_a_message_cannot_be_forged_by_its_content(scene: Scene) -> None:
    hook = {"url": "https://acme.example/x%0d%0aX-Evil:%201", "events": ["*"]}
    answer = await scene.mallory.tenant.post("/v1/webhook-endpoints", hook)
    async with (
        listening(says()) as far,
        posting([["127.0.0.1"]], allow_private=True) as (poster, _),
    ):
        split = await poster.post(f"{far.url}/", {"webhook-id": "a\r\nx-evil: 1"}, b"{}")

    assert answer.status_code == 201
    assert split.status_code is None
    assert far.heard == []
