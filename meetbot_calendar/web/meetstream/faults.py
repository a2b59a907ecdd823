"""How a MeetStream client is told what went wrong: a problem document, and its own two words."""

from typing import Any

from litestar import Request, Response

from meetbot_calendar.web.problems import Problem, respond


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Write an error; its clients read ``error`` and ``status_code`` where ours read ``detail``."""
    return respond(request, error, _as_they_know_it)


def _as_they_know_it(problem: Problem) -> dict[str, object]:
    return {"error": problem.detail, "status_code": problem.status}
