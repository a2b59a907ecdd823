"""The provider port over Google Calendar (API v3): list, watch, read a notice."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from meetbot_calendar.calendars.model import (
    Account,
    ChangePage,
    Grant,
    ListedCalendar,
    Notice,
    OAuthApp,
    Provider,
    WatchReceipt,
    Window,
)
from meetbot_calendar.calendars.provider import CalendarRef, Consent, ConsentReturn
from meetbot_calendar.calendars.recurrence import Series
from meetbot_calendar.errors import CalendarGone, GiveUp, Tampered, TryLater
from meetbot_calendar.gateways.google import masters, wire
from meetbot_calendar.gateways.google.changes import Rounds
from meetbot_calendar.gateways.google.faults import About, api_fault
from meetbot_calendar.gateways.google.oauth import (
    SCOPES,
    GoogleEndpoints,
    GoogleGrants,
    require_calendars,
)
from meetbot_calendar.gateways.rounds import Limits
from meetbot_calendar.gateways.transport import Answer, Transport
from meetbot_calendar.gateways.untrusted import Json, address, children, object_in, text

_LIST = {"maxResults": "250", "showHidden": "true"}
_LARGEST_PAGE = 64 * 1024 * 1024  # bytes


class GoogleProvider:
    """Google Calendar. ``page_size`` is how many events one answer may hold, 2,500 at most.

    ``scopes`` are what a consent asks for.
    """

    name = Provider.GOOGLE

    def __init__(
        self,
        transport: Transport,
        endpoints: GoogleEndpoints | None = None,
        *,
        page_size: int = 1000,
        limits: Limits | None = None,
        scopes: tuple[str, ...] = SCOPES,
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints or GoogleEndpoints()
        self._api = self._endpoints.api_url.rstrip("/")
        self._grants = GoogleGrants(transport, self._endpoints, scopes)
        self._page_size = page_size
        self._limits = limits or Limits()

    async def consent(
        self, app: OAuthApp, *, redirect_uri: str, state: str, login_hint: str | None
    ) -> Consent:
        """Make the address of Google's consent page."""
        return await self._grants.consent(
            app, redirect_uri=redirect_uri, state=state, login_hint=login_hint
        )

    async def exchange(
        self,
        app: OAuthApp,
        *,
        redirect_uri: str,
        memory: bytes,
        answer: Mapping[str, str],
        now: datetime,
    ) -> ConsentReturn:
        """Turn the query that Google sent back into a grant and its account."""
        grant = await self._grants.exchange(
            app, redirect_uri=redirect_uri, memory=memory, answer=answer, now=now
        )
        return ConsentReturn(grant=grant, account=await self.account(grant))

    async def adopt(self, app: OAuthApp, refresh_token: str, now: datetime) -> ConsentReturn:
        """Take a refresh token of a consent that was held elsewhere."""
        bare = Grant(refresh_token=refresh_token, access_token="", expires_at=now)
        grant = await self._grants.refresh(app, bare, now)
        require_calendars(grant.scopes)
        return ConsentReturn(grant=grant, account=await self.account(grant))

    async def refresh(self, app: OAuthApp, grant: Grant, now: datetime) -> Grant:
        """Return a fresh grant."""
        return await self._grants.refresh(app, grant, now)

    async def revoke(self, app: OAuthApp, grant: Grant) -> None:  # noqa: ARG002 - the port's
        """Drop the grant at Google."""
        await self._grants.revoke(grant)

    async def account(self, grant: Grant) -> Account:
        """Ask whose grant it is; the key is the subject, for addresses change."""
        body = await self._get(self._endpoints.userinfo_url, grant, {}, "account")
        subject = text(body, "sub") or text(body, "id")  # the older address says "id"
        email = address(body, "email")
        if subject is None or email is None:
            raise TryLater("Google does not say whose account it is", code="unreadable_answer")
        return Account(key=subject, email=email, name=text(body, "name"))

    async def calendars(self, grant: Grant) -> tuple[ListedCalendar, ...]:
        """List every calendar of the account, those too that its person has hidden."""
        url = f"{self._api}/users/me/calendarList"
        found: dict[str, ListedCalendar] = {}
        turns = self._limits.start()
        token: str | None = ""
        while token is not None:
            turns.turn(token)
            params = _LIST | ({"pageToken": token} if token else {})
            body = await self._get(url, grant, params, "account")
            for row in children(body, "items"):
                if entry := wire.listed_calendar(row):
                    found[entry.platform_id] = entry
            token = text(body, "nextPageToken")
        return tuple(found.values())

    def changes(
        self, grant: Grant, calendar: CalendarRef, *, cursor: str | None, window: Window
    ) -> AsyncIterator[ChangePage]:
        """Give everything in the window, or what changed since the cursor."""
        url = self._events_url(calendar)

        async def ask(params: Mapping[str, str]) -> Json:
            return await self._get(url, grant, params, "calendar")

        rounds = Rounds(ask, self._limits, self._page_size)
        return rounds.pages(calendar, cursor=cursor, window=window)

    async def series(self, grant: Grant, calendar: CalendarRef, series_id: str) -> Series | None:
        """Return a series as its master describes it, less its cancelled occurrences."""
        url = f"{self._events_url(calendar)}/{quote(series_id, safe='')}"
        try:
            found = masters.read_series(await self._get(url, grant, {}, "calendar"))
        except (CalendarGone, GiveUp):  # a 404 does not say which of the two is gone
            return None

        async def ask(params: Mapping[str, str]) -> Json:
            return await self._get(f"{url}/instances", grant, params, "calendar")

        return None if found is None else await masters.less_cancelled(found, ask)

    async def watch(
        self,
        grant: Grant,
        calendar: CalendarRef,
        *,
        address: str,
        secret: str,
        watch_id: str,
        expires_at: datetime,
    ) -> WatchReceipt:
        """Open a channel. Google may grant less time than was asked for."""
        body = {
            "id": watch_id,
            "type": "web_hook",
            "address": address,
            "token": secret,
            "expiration": str(_milliseconds(expires_at)),
        }
        url = f"{self._events_url(calendar)}/watch"
        answer = await self._request("POST", url, grant, json=body)
        if not answer.is_success:
            raise api_fault(answer, "calendar")
        said = object_in(answer.body)
        return WatchReceipt(
            platform_watch_id=text(said, "id") or watch_id,
            resource_id=text(said, "resourceId"),
            expires_at=_expiration(said) or expires_at,
        )

    async def renew(
        self,
        grant: Grant,  # noqa: ARG002 - the port's
        receipt: WatchReceipt,  # noqa: ARG002 - the port's
        *,
        expires_at: datetime,  # noqa: ARG002 - the port's
    ) -> WatchReceipt | None:
        """Return None: a Google channel cannot be prolonged (providers.md 3.1)."""
        return None

    async def unwatch(self, grant: Grant, receipt: WatchReceipt) -> None:
        """Close a channel; one that Google does not know is closed already."""
        body = {"id": receipt.platform_watch_id, "resourceId": receipt.resource_id}
        answer = await self._request("POST", f"{self._api}/channels/stop", grant, json=body)
        if not (answer.is_success or answer.status in (400, 404)):
            raise api_fault(answer, "account")

    def handshake(self, query: Mapping[str, str]) -> str | None:  # noqa: ARG002 - the port's
        """Return None: Google only sends a first message of kind ``established``."""
        return None

    def read_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:  # noqa: ARG002 - Google's notices have no body
        """Say which channel rang."""
        channel = headers.get("x-goog-channel-id", "").strip()
        state = headers.get("x-goog-resource-state", "").strip()
        if not channel or not state:
            raise Tampered("this is no notification of Google's")
        notice = Notice(
            platform_watch_id=channel,
            secret=headers.get("x-goog-channel-token"),
            resource_id=headers.get("x-goog-resource-id", "").strip(),
            kind="established" if state == "sync" else "changed",
        )
        return (notice,)

    def _events_url(self, calendar: CalendarRef) -> str:
        return f"{self._api}/calendars/{quote(calendar.platform_id, safe='')}/events"

    async def _get(self, url: str, grant: Grant, params: Mapping[str, str], about: About) -> Json:
        answer = await self._request("GET", url, grant, params=params)
        if not answer.is_success:
            raise api_fault(answer, about)
        return answer.read(dict[str, Any])

    async def _request(
        self,
        method: str,
        url: str,
        grant: Grant,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
    ) -> Answer:
        bearer = {"authorization": f"Bearer {grant.access_token}"}
        return await self._transport.request(
            method, url, headers=bearer, params=params, json=json, max_bytes=_LARGEST_PAGE
        )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _expiration(said: Json) -> datetime | None:
    """Return when a channel ends: milliseconds, which Google writes as a string or a number."""
    try:
        return datetime.fromtimestamp(int(said.get("expiration", "")) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
