"""The one table from error to problem document (RFC 9457)."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException, ValidationException

from meetbot_calendar.errors import (
    AccessExpired,
    CalendarGone,
    Conflict,
    CursorExpired,
    Fault,
    GiveUp,
    InstallationFault,
    Invalid,
    LimitReached,
    MeetbotError,
    Missing,
    OutcomeUnknown,
    PushUnsupported,
    ReconnectNeeded,
    Refused,
    Tampered,
    TooOften,
    TryLater,
    Unauthenticated,
    WatchStands,
)
from meetbot_calendar.journeys.outages import (
    CannotOpen,
    DatabaseDown,
    KeyGone,
    KeyServiceDown,
    KeyServiceRefused,
)
from meetbot_calendar.web.methods import with_head
from rules.faults import RuleSetInvalid

_LOG = structlog.get_logger("meetbot.web")
_RETRY_SECONDS = 5


class Row(msgspec.Struct, frozen=True):
    """How one kind of error looks from outside."""

    status: int
    title: str


TABLE: dict[type[Exception], Row] = {
    Invalid: Row(422, "The request is not as it must be"),
    Conflict: Row(409, "Something else already stands there"),
    LimitReached: Row(400, "There are as many as there may be"),
    Refused: Row(400, "The request cannot be done"),
    Unauthenticated: Row(401, "Who asks is not known"),
    Missing: Row(404, "There is no such thing"),
    Tampered: Row(401, "The signature is not ours"),
    ReconnectNeeded: Row(409, "The account must be connected again"),
    CalendarGone: Row(409, "The provider no longer shows this calendar"),
    PushUnsupported: Row(409, "This calendar can only be polled"),
    InstallationFault: Row(502, "This installation must be mended by its operator"),
    GiveUp: Row(502, "The other side will never do this"),
    AccessExpired: Row(503, "The provider asks for patience"),
    CursorExpired: Row(503, "The provider asks for patience"),
    TryLater: Row(503, "It may work later"),
    WatchStands: Row(409, "Another watch stands for this calendar"),
    TooOften: Row(429, "You ask too often"),
    OutcomeUnknown: Row(503, "It may have happened, or may work later"),
    DatabaseDown: Row(503, "The database cannot be reached"),
    KeyServiceDown: Row(503, "The key service cannot be reached"),
    KeyServiceRefused: Row(503, "The key service does not let us in"),
    KeyGone: Row(503, "The tenant's key is gone"),
    CannotOpen: Row(500, "Something stored cannot be read"),
    RuleSetInvalid: Row(422, "The rules are not as they must be"),
    MeetbotError: Row(500, "Something went wrong here"),
}
_BY_CODE = {
    "invalid_cursor": 400,
    "invalid_watermark": 400,
    "invalid_parameter": 400,
    "rules_changed": 412,
}
_NEXT_STEPS = {
    "user_not_named": (
        "Name the calendar user with ?user_id=mcu_… or the header X-Customer-User-Id,",
        "or use an API key that is bound to that calendar user.",
    ),
    "no_calendar_user": ("Connect a calendar first: POST /v1/calendar/create_calendar.",),
    "several_connections": (
        "List the accounts: GET /v1/calendar/connections.",
        "Disconnect one: DELETE /v1/calendar/connections/{provider}/{account_id}.",
        'Or name it in the body: {"provider": "outlook", "account_id": "jane@acme.com"}.',
    ),
    "unauthenticated": ("Send the header Authorization: Bearer KEY.",),
}
_TITLES = {
    400: "The request cannot be done",
    404: "There is no such thing",
    405: "This cannot be done here",
    413: "The body is too large",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, and where: a problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: tuple[Fault, ...] = ()
    next_steps: tuple[str, ...] = ()


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn any error into a problem document. What we did not foresee is logged and not told."""
    return respond(request, error, lambda _: {})


def respond(
    request: Request[Any, Any, Any],
    error: Exception,
    more: Callable[[Problem], Mapping[str, object]],
) -> Response[bytes]:
    """Answer with a problem document that has ``more`` members, as a door's own clients know it."""
    problem, extra, headers = describe(error)
    if problem.status == 500:  # noqa: PLR2004 - HTTP
        _LOG.error("unforeseen", exc_info=error)
    problem = msgspec.structs.replace(problem, request_id=request.scope.get("request_id"))
    body = msgspec.to_builtins(problem) | more(problem) | extra
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


def describe(error: Exception) -> tuple[Problem, dict[str, str], dict[str, str]]:
    """Return the document, further members that it has, and headers that go with it."""
    if isinstance(error, HTTPException):
        return _of_litestar(error), {}, _methods_told(error.headers or {})
    row = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)
    if row is None or row.status == 500:  # noqa: PLR2004 - HTTP
        return _problem(500, "internal_error", "Something went wrong here; it is logged."), {}, {}
    if isinstance(error, RuleSetInvalid):
        return _of_rules(error, row), {}, {}
    if not isinstance(error, MeetbotError):
        detail = "A part of this service cannot be reached; nothing was changed. Try again soon."
        problem = _problem(row.status, "unavailable", detail, row.title)
        return problem, {}, {"Retry-After": str(_RETRY_SECONDS)}
    status = _BY_CODE.get(error.code, row.status)
    problem = _problem(status, error.code, error.detail, row.title)
    if isinstance(error, Invalid):
        problem = msgspec.structs.replace(problem, errors=error.faults)
    extra = error.existing if isinstance(error, Conflict) else {}
    return problem, extra, _headers(error, status)


def _of_rules(error: RuleSetInvalid, row: Row) -> Problem:
    detail = "The rules are not as they must be: each fault is named with its place."
    problem = _problem(row.status, "invalid_rules", detail, row.title)
    faults = tuple(Fault(fault.pointer, fault.detail) for fault in error.faults)
    return msgspec.structs.replace(problem, errors=faults)


def _headers(error: MeetbotError, status: int) -> dict[str, str]:
    if isinstance(error, TryLater):
        seconds = error.after.total_seconds() if error.after else _RETRY_SECONDS
        return {"Retry-After": str(max(1, ceil(seconds)))}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="meetbot-calendar"'}
    return {"Retry-After": str(_RETRY_SECONDS)} if status == 503 else {}  # noqa: PLR2004 - HTTP


def _methods_told(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: with_head(value) if name == "allow" else value for name, value in headers.items()}


def _of_litestar(error: HTTPException) -> Problem:
    """Describe what the framework refused before a handler was reached."""
    status = error.status_code
    if isinstance(error, ValidationException):
        faults = _parameter_faults(error)
        if any(fault.pointer.startswith("/path/") for fault in faults):
            return _problem(404, "not_found", "There is nothing at this address.")
        problem = _problem(400, "invalid_parameter", "A parameter is not as it must be.")
        return msgspec.structs.replace(problem, errors=faults)
    codes = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    details = {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
        413: "A body may have 1 MiB at most.",
    }
    if status >= 500:  # noqa: PLR2004 - HTTP
        return _problem(500, "internal_error", "Something went wrong here; it is logged.")
    return _problem(status, codes.get(status, "refused"), details.get(status, error.detail))


def _parameter_faults(error: ValidationException) -> tuple[Fault, ...]:
    given = error.extra if isinstance(error.extra, list) else []
    return tuple(_parameter_fault(row) for row in given)


def _parameter_fault(row: dict[str, Any]) -> Fault:
    if row.get("source") == "body" or row.get("key") == "data":
        return Fault("", "A JSON body is needed.")
    source = row.get("source") or ParamType.QUERY
    return Fault(f"/{ParamType(source).value}/{row.get('key', '')}", str(row["message"]))


def _problem(status: int, code: str, detail: str, title: str | None = None) -> Problem:
    return Problem(
        type=f"urn:meetbot:problem:{code}",
        title=title or _TITLES.get(status, "Something went wrong here"),
        status=status,
        detail=detail[:1].upper() + detail[1:],
        code=code,
        next_steps=_NEXT_STEPS.get(code, ()),
    )
