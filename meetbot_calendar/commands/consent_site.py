"""The page that ``oauth-helper`` serves: to the provider's consent, back, and the tokens shown."""

import asyncio
import secrets
from collections.abc import Mapping
from html import escape

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.response import Redirect

from meetbot_calendar.calendars.model import OAuthApp
from meetbot_calendar.calendars.provider import CalendarProvider, ConsentReturn
from meetbot_calendar.clock import Clock
from meetbot_calendar.errors import MeetbotError, Refused
from meetbot_calendar.web.pages import HEADERS, html, page

_STYLE = "pre{background:#8881;padding:12px;word-break:break-all;white-space:pre-wrap}"
Asked = Request[None, None, State]


class ConsentSite(msgspec.Struct, kw_only=True):
    """One consent of one OAuth client; ``done`` holds what it gave."""

    provider: CalendarProvider
    app: OAuthApp
    redirect_uri: str
    clock: Clock
    done: asyncio.Future[ConsentReturn]
    begun: dict[str, bytes] = {}

    async def begin(self) -> str:
        """Return the address of the provider's consent page."""
        state = secrets.token_urlsafe(32)
        consent = await self.provider.consent(
            self.app, redirect_uri=self.redirect_uri, state=state, login_hint=None
        )
        self.begun[state] = consent.memory
        return consent.url

    async def finish(self, answer: Mapping[str, str]) -> ConsentReturn:
        """Take what the provider sent back: each consent that was begun here, once."""
        memory = self.begun.pop(answer.get("state", ""), None)
        if memory is None:
            raise Refused("this answer belongs to no consent that was begun here: start again")
        return await self.provider.exchange(
            self.app,
            redirect_uri=self.redirect_uri,
            memory=memory,
            answer=answer,
            now=self.clock.now(),
        )

    def pages(self, callback: str) -> Litestar:
        """Return the site; ``callback`` is the path that the provider sends people back to."""

        @get("/")
        async def start() -> Redirect:
            return Redirect(await self.begin(), status_code=302, headers=HEADERS)

        @get(callback)
        async def back(request: Asked) -> Response[str]:
            try:
                gave = await self.finish(dict(request.query_params.items()))
            except MeetbotError as error:
                return page("OAuth Error", f"{error.detail}.", status=400, note=error.code)
            if not self.done.done():
                self.done.set_result(gave)
            return _success(gave)

        return Litestar([start, back], logging_config=None, openapi_config=None)


def _success(gave: ConsentReturn) -> Response[str]:
    grant = gave.grant
    shown = (
        f"<h1>Success!</h1><p>{escape(gave.account.email)}</p>"
        f"<h3>Refresh Token</h3><pre>{escape(grant.refresh_token)}</pre>"
        f"<h3>Access Token</h3><pre>{escape(grant.access_token)}</pre>"
        f"<h3>Expiry</h3><p>{escape(grant.expires_at.isoformat())}</p>"
        "<p><small>Post the refresh token with its client to create_calendar. The helper has"
        " ended; you can close this window.</small></p>"
    )
    return html("Success!", shown, style=_STYLE)
