import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from meetbot_calendar.telemetry import DELIVERIES, configure_logging, metrics_text, redact, scrub


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[io.StringIO]:
    """What is logged in this test, one JSON document a line."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logging("json", "info")
    written = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    structlog.contextvars.clear_contextvars()  # others' tests have served requests in this thread
    with structlog.contextvars.bound_contextvars(request_id="req", tenant_id="ten_1"):
        yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    _ = capsys


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("Token mbk_0123456789abcdef", "Token ***"),
        ("the key mbk_0123456789abcdef", "the key mbk_***"),
        ("signed with whsec_MfKQ9r8GKYqrTwjU", "signed with whsec_***"),
        ("postgresql://me:hunter2@db/x", "postgresql://me:***@db/x"),
        ("redis://:hunter2@cache", "redis://:***@cache"),
        ("GET /cb?code=4/0Ab&scope=x&state=s1", "GET /cb?code=***&scope=x&state=***"),
        (
            "https://h/x?access_token=a&refresh_token=b",
            "https://h/x?access_token=***&refresh_token=***",
        ),
        ("ya29.a0AfB_byC-1234567890", "ya29.***"),
        ("1//0gLongRefreshToken", "1//***"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "eyJ***"),
        ("a bearer of news, a state of things", "a bearer of news, a state of things"),
        ("https://zoom.us/j/123?pwd=x", "https://zoom.us/j/123?pwd=***"),
    ],
)
def test_what_looks_secret_is_masked(text: str, safe: str) -> None:
    assert scrub(text) == safe


def test_what_is_named_like_a_secret_is_masked_at_any_depth() -> None:
    line = {
        "client_secret": "x",
        "key": 12345,
        "nested": [
            {"Authorization": "x", "plain": ("a", {"password": None, "next_page_token": "p"})}
        ],
        "bytes": b"abc",
        "count": 3,
        "is_token": True,
    }

    assert redact(None, "info", line) == {
        "client_secret": "***",
        "key": "***",
        "nested": [
            {"Authorization": "***", "plain": ["a", {"password": None, "next_page_token": "***"}]}
        ],
        "bytes": "3 bytes",
        "count": 3,
        "is_token": True,
    }


def test_a_structure_without_end_is_cut_off() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop

    assert "again" in str(redact(None, "info", {"loop": loop}))


def test_a_line_carries_the_request_and_the_tenant(lines: io.StringIO) -> None:
    structlog.get_logger("meetbot.test").info("done", code="ok", access_token="t")

    line = json.loads(lines.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "done",
        "code": "ok",
        "access_token": "***",
        "level": "info",
        "logger": "meetbot.test",
        "request_id": "req",
        "tenant_id": "ten_1",
    }


def test_libraries_speak_through_the_same_chain(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("went to %s", "https://h/?code=abc")
    logging.getLogger("httpx").info("HTTP Request: GET https://h/?code=abc")

    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["event"] == "went to https://h/?code=***"


def test_an_exception_is_told_without_its_secrets(lines: io.StringIO) -> None:
    error = ValueError("refused: postgresql://me:hunter2@db")

    structlog.get_logger("meetbot.test").error("failed", exc_info=error)

    line = json.loads(lines.getvalue())
    assert "ValueError: refused: postgresql://me:***@db" in line["exception"]
    assert "hunter2" not in lines.getvalue()


def test_less_than_the_level_is_not_written(lines: io.StringIO) -> None:
    structlog.get_logger("meetbot.test").debug("detail")

    assert lines.getvalue() == ""


def test_the_counters_are_told() -> None:
    DELIVERIES.labels("delivered").inc()

    assert b'meetbot_deliveries_total{outcome="delivered"}' in metrics_text()
