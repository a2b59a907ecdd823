"""``/v1/calendar/connect`` and the provider's way back: consent begun and finished."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys import acting, connect
from meetbot_calendar.journeys.connect import ConnectWish, Finished
from meetbot_calendar.web.api.parts import CALLER, Caller, CustomerUserId, Given, Url, utc
from meetbot_calendar.web.auth import PERSON, PUBLIC
from meetbot_calendar.web.pages import HEADERS, page
from meetbot_calendar.web.problems import Problem, answer

ProviderName = Literal["google", "outlook", "microsoft"]
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254, pattern=r"^[^\x00\s]+$")]


class ConnectBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose calendar is to be connected, and where the person goes afterwards."""

    customer_user_id: CustomerUserId
    redirect_url: Url | None = None
    login_hint: Email | None = None
    attributes: dict[str, Any] | None = None


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A consent link: send the person there; it is good once, until `expires_at`."""

    url: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"LinkView(***, expires_at={self.expires_at.isoformat()})"


def provider_of(name: ProviderName) -> Provider:
    """Read a provider; ``microsoft`` is another name of ``outlook``."""
    return Provider.OUTLOOK if name == "microsoft" else Provider(name)


@post("/connect/{provider:str}", opt=PERSON)
async def begin_connection(
    services: Given,
    context: Caller,
    provider: FromPath[ProviderName],
    data: JSONBody[ConnectBody],
) -> LinkView:
    """Make a one-time consent link for one of your users, good for ten minutes."""
    if context.user_id is not None:
        await acting.named(services, context, None, data.customer_user_id)
    wish = ConnectWish(
        provider=provider_of(provider),
        customer_user_id=data.customer_user_id,
        redirect_url=data.redirect_url,
        login_hint=data.login_hint,
        attributes=data.attributes,
    )
    link = await connect.begin(services, context, wish)
    return LinkView(url=link.url, expires_at=utc(link.expires_at))


def _told_on_a_page(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """Tell a person what programs are told in a problem document."""
    told = answer(request, error)
    problem = msgspec.json.decode(told.content, type=Problem)
    shown = page(problem.title, problem.detail, status=problem.status, note=f"({problem.code})")
    shown.headers |= {k: v for k, v in told.headers.items() if k.lower() == "retry-after"}
    return shown


@get(
    "/oauth/callback/{provider:str}",
    opt=PUBLIC,
    security=[],
    media_type="text/html",
    exception_handlers={HTTPException: _told_on_a_page, Exception: _told_on_a_page},
)
async def finish_connection(
    services: Given, request: Request[Any, Any, Any], provider: FromPath[ProviderName]
) -> Response[str] | Redirect:
    """Where the provider sends the person back; not called by you."""
    if request.scope["state"].get("only_looks"):  # a scanner's HEAD must not use up the consent
        return Response("", status_code=405, headers={"Allow": "GET"})
    given = dict(request.query_params.items())
    try:
        finished = await connect.finish(services, provider_of(provider), given)
    except MeetbotError as error:
        return page(
            "This link cannot be used",
            error.detail[:1].upper() + error.detail[1:] + ".",
            status=400,
            note=f"({error.code})",
        )
    if finished.redirect_to is not None:
        return Redirect(finished.redirect_to, status_code=302, headers=HEADERS)
    return _page(finished)


def _page(finished: Finished) -> Response[str]:
    if finished.error_code is None:
        return page(
            "Your calendar is connected",
            f"{finished.tenant_name} can now see the meetings of {finished.account_id}.",
            "You can close this window.",
        )
    return page(
        "Your calendar was not connected",
        f"{finished.tenant_name} could not be given access.",
        (finished.error_detail or "") + ".",
        status=400,
        note=f"({finished.error_code})",
    )


router = Router(
    "/v1/calendar",
    route_handlers=[begin_connection, finish_connection],
    dependencies=CALLER,
    tags=["Connecting"],
)
