import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook

from meetbot_calendar.clock import SystemClock
from meetbot_calendar.deliveries.poster import Answered, Poster
from meetbot_calendar.deliveries.signing import headers as signed
from meetbot_calendar.deliveries.signing import new_secret
from meetbot_calendar.gateways.endpoints import EndpointPoster, open_endpoints
from tests.loopback import Heard, answer, listening, says


class Names:
    """A name server of the test's own: what each name leads to, and what was asked."""

    def __init__(self, known: Mapping[str, Sequence[str]]) -> None:
        self.known = dict(known)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(f"{host}:{port}")
        return self.known[host]


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    async with open_endpoints(allow_private=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for ``hook.example``, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hook.example")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hook.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "hook.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@asynccontextmanager
async def named(
    known: Mapping[str, Sequence[str]], *, allow_private: bool = True, ca: Path | None = None
) -> AsyncIterator[tuple[EndpointPoster, Names]]:
    names = Names(known)
    tls = ssl.create_default_context(cafile=ca) if ca else None
    async with open_endpoints(
        allow_private=allow_private, resolve=names.resolve, tls=tls
    ) as opened:
        yield opened, names


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def told(got: Answered) -> tuple[int | None, str | None, str | None, float | None]:
    return got.status_code, got.error, got.excerpt, got.retry_after


async def test_the_exact_bytes_and_headers_arrive_and_verify_with_the_reference_library(
    poster: Poster,
) -> None:
    secret, now = new_secret(), SystemClock().now()
    body = '{"type":"bot.joined","name":"Zo\u00eb"}'.encode()

    async with listening(says(b"thanks", 202)) as end:
        got = await poster.post(f"{end.url}/hook?x=1", signed("msg_1", now, body, [secret]), body)

    heard = end.heard[0]
    Webhook(secret).verify(heard.body, heard.headers)
    assert told(got) == (202, None, "thanks", None)
    assert (heard.method, heard.target, heard.body) == ("POST", "/hook?x=1", body)
    assert heard.headers["host"] == f"127.0.0.1:{end.port}"
    assert heard.headers["content-type"] == "application/json"


async def test_a_redirect_is_an_answer_and_is_not_followed(poster: Poster) -> None:
    async with listening(says()) as elsewhere:
        script = says(b"", 307, {"location": elsewhere.url})
        async with listening(script) as end:
            got = await poster.post(end.url, {}, b"{}")

    assert (got.status_code, elsewhere.heard) == (307, [])


async def test_the_wish_for_a_later_retry_is_read(poster: Poster) -> None:
    async with listening(says(b"", 429, {"retry-after": "30"})) as end:
        got = await poster.post(end.url, {}, b"{}")

    assert told(got) == (429, None, None, 30.0)


async def test_only_the_beginning_of_an_answer_is_kept_as_text(poster: Poster) -> None:
    async with listening(says(b"\x00\xff" + b"x" * 100_000, 500)) as end:
        got = await poster.post(end.url, {}, b"{}")

    assert got.excerpt == "\ufffd\ufffd" + "x" * 510


async def test_a_refused_connection_is_told_as_such(poster: Poster) -> None:
    async with listening(says()) as end:
        port = end.port

    got = await poster.post(f"http://127.0.0.1:{port}/", {}, b"{}")

    assert got.status_code is None
    assert got.error is not None
    assert got.error.startswith("connection_failed: ")


async def test_an_answer_that_is_not_http_is_told_as_such(poster: Poster) -> None:
    async def speak(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")

    async with listening(speak) as end:
        got = await poster.post(end.url, {}, b"{}")

    assert told(got) == (None, "no_http: the answer is not HTTP, or was cut short", None, None)


async def test_a_hang_up_is_told_as_such(poster: Poster) -> None:
    async def hang_up(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(hang_up) as end:
        got = await poster.post(end.url, {}, b"{}")

    assert told(got) == (None, "no_http: the answer is not HTTP, or was cut short", None, None)


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/", "http://a.example/"],
)
async def test_an_address_that_is_refused_by_its_spelling_is_never_called(url: str) -> None:
    async with named({}, allow_private=False) as (poster, names):
        got = await poster.post(url, {}, b"{}")

    assert got.error is not None
    assert got.error.startswith("address_refused: ")
    assert names.asked == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["2606:4700::1111", "::ffff:127.0.0.1"],
        ["fe80::1%lo"],
        ["10.0.0.1", "169.254.169.254"],
    ],
)
async def test_a_name_with_one_private_address_among_its_addresses_is_never_called(
    addresses: list[str],
) -> None:
    async with (
        listening(says()) as end,
        named({"rebind.example": addresses}, allow_private=False) as (poster, _),
    ):
        got = await poster.post(f"https://rebind.example:{end.port}/", {}, b"{}")

    assert told(got) == (
        None,
        "address_refused: The address leads to an address that is not public.",
        None,
        None,
    )
    assert end.heard == []


async def test_a_name_that_changes_its_mind_cannot_lead_us_elsewhere() -> None:
    async with (
        listening(says()) as end,
        named({"hook.example": ["127.0.0.1"]}) as (poster, names),
    ):
        first = await poster.post(f"http://hook.example:{end.port}/", {}, b"{}")
        names.known["hook.example"] = ["169.254.169.254"]
        second = await poster.post(f"http://hook.example:{end.port}/", {}, b"{}")

    assert (first.status_code, second.status_code) == (200, None)
    assert names.asked == [f"hook.example:{end.port}"] * 2


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    async with (
        listening(says()) as end,
        named({"hook.example": ["::1", "127.0.0.1"]}) as (poster, _),
    ):
        got = await poster.post(f"http://hook.example:{end.port}/", {}, b"{}")

    assert got.status_code == 200


async def test_tls_is_verified_against_the_name_though_the_address_is_called(
    certificate: Path,
) -> None:
    known = {"hook.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}

    async with (
        listening(says(), tls=server_tls(certificate)) as end,
        named(known, ca=certificate) as (poster, _),
    ):
        right = await poster.post(f"https://hook.example:{end.port}/", {}, b"{}")
        wrong = await poster.post(f"https://other.example:{end.port}/", {}, b"{}")

    assert right.status_code == 200
    assert wrong.status_code is None
    assert wrong.error is not None
    assert wrong.error.startswith("tls_failed: Hostname mismatch")
    assert [heard.headers["host"] for heard in end.heard] == [f"hook.example:{end.port}"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    async with (
        listening(says(), tls=server_tls(certificate)) as end,
        named({"hook.example": ["127.0.0.1"]}) as (poster, _),
    ):
        got = await poster.post(f"https://hook.example:{end.port}/", {}, b"{}")

    assert got.error is not None
    assert got.error.startswith("tls_failed: self-signed certificate")
    assert end.heard == []


async def test_an_endpoint_that_never_finishes_is_given_up_in_time() -> None:
    async def drip(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"x-a: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)  # the far end is slow, not the test

    async with (
        listening(drip) as end,
        open_endpoints(allow_private=True, time_limit=0.4) as poster,
    ):
        slow = await poster.post(end.url, {}, b"{}")
        no_tls = await poster.post(f"https://127.0.0.1:{end.port}/", {}, b"{}")

    assert told(slow) == (None, "timeout: no full answer in time", None, None)
    assert told(no_tls) == (None, "timeout: no connection in time", None, None)
    assert 400 <= slow.latency_ms < 5000


async def test_an_answer_whose_body_never_ends_is_an_answer() -> None:
    async def go_on_for_ever(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nretry-after: 7\r\n\r\nthanks")
        await asyncio.Event().wait()

    async with (
        listening(go_on_for_ever) as end,
        open_endpoints(allow_private=True, time_limit=0.4) as poster,
    ):
        got = await poster.post(end.url, {}, b"{}")

    assert told(got) == (200, None, "thanks", 7.0)
    assert 400 <= got.latency_ms < 5000


@pytest.mark.parametrize(
    "framing", ["content-length: 99\r\n\r\nthanks", "transfer-encoding: chunked\r\n\r\n6\r\nthanks"]
)
async def test_an_answer_whose_body_is_cut_short_is_an_answer(poster: Poster, framing: str) -> None:
    async def cut_short(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 202 Accepted\r\n{framing}".encode())
        writer.close()

    async with listening(cut_short) as end:
        got = await poster.post(end.url, {}, b"{}")

    assert told(got) == (202, None, "thanks", None)


async def test_a_name_that_does_not_resolve_in_time_is_given_up() -> None:
    async def hang(_: str, __: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async with open_endpoints(allow_private=True, time_limit=0.2, resolve=hang) as poster:
        got = await poster.post("https://hook.example/", {}, b"{}")

    assert told(got) == (None, "timeout: no connection in time", None, None)


async def test_names_are_resolved_by_the_system(poster: Poster) -> None:
    async with listening(says()) as end:
        got = await poster.post(f"http://localhost:{end.port}/", {}, b"{}")

    assert got.status_code == 200


async def test_a_name_without_addresses_is_told_as_such() -> None:
    async with named({"hook.example": []}) as (poster, _):
        got = await poster.post("https://hook.example/", {}, b"{}")

    assert told(got) == (None, "connection_failed: the name has no address", None, None)


async def test_an_ipv6_literal_is_named_in_brackets(poster: Poster) -> None:
    async with listening(says(), host="::1") as end:
        got = await poster.post(f"http://[::1]:{end.port}/", {}, b"{}")

    assert got.status_code == 200
    assert end.heard[0].headers["host"] == f"[::1]:{end.port}"


async def test_the_wait_is_measured_from_the_answers_own_date(poster: Poster) -> None:
    headers = {
        "date": "Fri, 20 Nov 2026 12:00:00 GMT",
        "retry-after": "Fri, 20 Nov 2026 12:01:00 GMT",
    }

    async with listening(says(b"", 503, headers)) as end:
        got = await poster.post(end.url, {}, b"{}")

    assert got.retry_after == 60.0


async def test_what_arrives_is_only_what_was_asked_for(poster: Poster) -> None:
    async def twice(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"one", headers={"set-cookie": "a=b"}) + answer(b"smuggled"))

    async with listening(twice) as end:
        first = await poster.post(end.url, {}, b"{}")
        second = await poster.post(end.url, {}, b"{}")

    assert (first.excerpt, second.excerpt) == ("one", "one")
    assert all("cookie" not in heard.headers for heard in end.heard)
