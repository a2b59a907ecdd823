"""The admin page's routes, and what it says when something is wrong."""

from typing import Any

from litestar import Request, Response, Router
from litestar.di import Provide
from litestar.response import Redirect

from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.web.admin import person, tenant, visits
from meetbot_calendar.web.admin.door import NotIn, visitor
from meetbot_calendar.web.admin.rendering import show
from meetbot_calendar.web.auth import PUBLIC
from meetbot_calendar.web.problems import describe


def _to_login(_: Request[Any, Any, Any], __: NotIn) -> Response[Any]:
    return Redirect("/admin/login", status_code=303)


def _say(_: Request[Any, Any, Any], error: MeetbotError) -> Response[str]:
    problem, _extra, _headers = describe(error)
    return show("trouble.html", status=problem.status, problem=problem)


router = Router(
    "/admin",
    route_handlers=[
        visits.ask_for_key,
        visits.log_in,
        visits.log_out,
        tenant.see_tenant,
        tenant.see_people,
        tenant.redeliver,
        person.router,
    ],
    dependencies={"guest": Provide(visitor)},
    exception_handlers={NotIn: _to_login, MeetbotError: _say},
    opt=PUBLIC,
    include_in_schema=False,
)
