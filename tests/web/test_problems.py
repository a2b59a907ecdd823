"""What goes wrong is said in one form, with its place, and never says too much."""

import msgspec
import pytest

from meetbot_calendar import errors
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys import outages
from meetbot_calendar.web import problems
from rules.faults import RuleSetInvalid
from tests.web.house import OpenHouse


def _all_kinds(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(_all_kinds(inner) for inner in kind.__subclasses__()))


def test_every_error_has_a_row_of_its_own() -> None:
    ours = {k for k in _all_kinds(MeetbotError) if k.__module__ == errors.__name__}
    told = {getattr(outages, name) for name in outages.__all__}
    cellar = {each for each in told if isinstance(each, type)}

    assert (ours | cellar | {RuleSetInvalid}) - problems.TABLE.keys() == set()


async def test_an_unknown_address_is_a_problem_document_with_the_request_id(
    house: OpenHouse,
) -> None:
    answer = await house.stranger.get("/v1/nothing", X_Request_Id="abc-123")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "abc-123"
    assert answer.json() == {
        "type": "urn:meetbot:problem:not_found",
        "title": "There is no such thing",
        "status": 404,
        "detail": "There is nothing at this address.",
        "code": "not_found",
        "request_id": "abc-123",
    }


async def test_a_request_id_that_is_unfit_for_a_log_is_replaced(house: OpenHouse) -> None:
    answer = await house.stranger.get("/health/live", X_Request_Id="a b\tc" + "x" * 100)

    assert len(answer.headers["x-request-id"]) == 16


async def test_a_wrong_method_is_told_which_are_right(house: OpenHouse) -> None:
    wrong = await house.stranger.put("/v1/api-keys")
    asked = await house.stranger.ask("OPTIONS", "/v1/api-keys")

    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(wrong.headers["allow"].split(", "))
    assert asked.status_code == 204
    assert asked.headers["allow"] == wrong.headers["allow"]


@pytest.mark.parametrize("path", ["/health/live", "/v1/api-keys", "/v1/nothing", "/schema"])
async def test_head_says_what_get_would_without_its_body(house: OpenHouse, path: str) -> None:
    _, door = await house.tenant()

    told = await door.ask("GET", path, X_Request_Id="one")
    asked = await door.ask("HEAD", path, X_Request_Id="one")

    assert told.content
    assert (asked.status_code, asked.content) == (told.status_code, b"")
    assert asked.headers == told.headers


async def test_head_is_a_method_of_what_can_be_read_alone(house: OpenHouse) -> None:
    readable = await house.stranger.ask("OPTIONS", "/v1/api-keys")
    written = await house.stranger.ask("OPTIONS", "/v1/calendar/connect/google")

    assert readable.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert "HEAD" not in written.headers["allow"]


async def test_a_method_of_a_strangers_making_names_no_series(house: OpenHouse) -> None:
    await house.stranger.ask("GRABBLE", "/health/live")

    metrics = (await house.stranger.get("/metrics")).text

    assert "GRABBLE" not in metrics
    assert 'meetbot_http_requests_total{method="other"' in metrics


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"nonsense", b'{"name": "x"}}', b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 5000],
)
async def test_a_body_that_is_no_json_is_refused(house: OpenHouse, raw: bytes) -> None:
    _, door = await house.tenant()

    answer = await door.send("POST", "/v1/api-keys", raw)

    assert answer.status_code == 400
    assert answer.json()["code"] in ("malformed_json", "invalid_parameter")


async def test_every_fault_of_a_body_is_named_with_its_pointer(house: OpenHouse) -> None:
    body = {"name": 5, "colour": "red", "expires_at": "tomorrow", "a/b~c": 1}
    _, door = await house.tenant()

    answer = await door.post("/v1/api-keys", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert sorted(fault["pointer"] for fault in answer.json()["errors"]) == [
        "/a~1b~0c",
        "/colour",
        "/expires_at",
        "/name",
    ]


async def test_what_is_missing_or_of_another_kind_is_named(house: OpenHouse) -> None:
    _, door = await house.tenant()

    missing = (await door.post("/v1/api-keys", {})).json()["errors"]
    wrong = (await door.post("/v1/api-keys", [1])).json()["errors"]
    nested = await door.patch("/v1/tenant", {"opt_out": {"emails": ["a@b.de", 7]}})

    assert missing == [{"pointer": "/name", "detail": "This field is missing."}]
    assert [fault["pointer"] for fault in wrong] == [""]
    assert [fault["pointer"] for fault in nested.json()["errors"]] == ["/opt_out/emails/1"]


async def test_numbers_are_not_texts(house: OpenHouse) -> None:
    answer = await house.operator.post("/v1/tenants", {"name": "A", "retention_days": "5"})

    assert answer.status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit="])
async def test_a_wrong_parameter_is_named(house: OpenHouse, query: str) -> None:
    _, door = await house.tenant()

    answer = await door.get(f"/v1/api-keys?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert answer.json()["errors"][0]["pointer"] == "/query/limit"


async def test_a_nul_is_refused_wherever_it_stands(house: OpenHouse) -> None:
    _, door = await house.tenant()

    answers = [
        await door.post("/v1/api-keys", {"name": "a\x00b"}),
        await door.get("/v1/calendar/users/mcu_%00"),
        await door.get("/v1/webhook-deliveries?bot_id=%00"),
        await door.get("/v1/calendar/users?customer_user_id=%00"),
    ]

    assert [answer.status_code for answer in answers] == [422, 404, 400, 400]


async def test_json_is_json_whatever_it_is_called(house: OpenHouse) -> None:
    _, door = await house.tenant()
    kinds = ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "nonsense")

    answers = [await door.post("/v1/api-keys", {"name": "a"}, Content_Type=kind) for kind in kinds]

    assert [answer.status_code for answer in answers] == [201, 201, 201, 201]


async def test_a_body_over_a_mebibyte_is_refused(house: OpenHouse) -> None:
    _, door = await house.tenant()
    large = b'{"name": "' + b"x" * (1 << 20) + b'"}'

    plain = await door.send("POST", "/v1/api-keys", large)
    once = await door.send("POST", "/v1/api-keys", large, Idempotency_Key="k")

    assert [(a.status_code, a.json()["code"]) for a in (plain, once)] == [
        (413, "body_too_large"),
        (413, "body_too_large"),
    ]


async def test_a_key_is_asked_for_before_a_body_is_read(house: OpenHouse) -> None:
    answer = await house.stranger.send("POST", "/v1/api-keys", b"nonsense")

    assert answer.status_code == 401


def test_the_unforeseen_is_told_without_its_words() -> None:
    problem, _, _ = problems.describe(ValueError("postgresql://meetbot:secret@db/meetbot"))

    assert (problem.status, problem.code) == (500, "internal_error")
    assert b"secret" not in msgspec.json.encode(problem)


def test_what_may_work_later_says_when() -> None:
    later = errors.TryLater("throttled", after=None)

    problem, _, headers = problems.describe(later)

    assert (problem.status, headers) == (503, {"Retry-After": "5"})


def test_what_stands_there_already_is_named() -> None:
    conflict = errors.Conflict("already scheduled", code="already_scheduled", bot_id="bot_1")

    problem, extra, _ = problems.describe(conflict)

    assert (problem.status, problem.code, extra) == (409, "already_scheduled", {"bot_id": "bot_1"})
