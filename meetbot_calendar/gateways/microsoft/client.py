"""The provider port over Microsoft Graph (v1.0): list, watch, read a notice."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
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
from meetbot_calendar.errors import CalendarGone, GiveUp, TryLater
from meetbot_calendar.gateways.microsoft import masters, pushes, wire
from meetbot_calendar.gateways.microsoft.changes import DeltaRound
from meetbot_calendar.gateways.microsoft.graph import Graph
from meetbot_calendar.gateways.microsoft.oauth import (
    WANTED,
    MicrosoftGrants,
    grant_of,
    require_calendars,
)
from meetbot_calendar.gateways.rounds import Limits
from meetbot_calendar.gateways.transport import Transport
from meetbot_calendar.gateways.untrusted import address, text


class MicrosoftProvider:
    """Outlook's calendars. ``page_size`` is how many rows one answer may hold.

    ``scopes`` are what a consent asks for.
    """

    name = Provider.OUTLOOK

    def __init__(
        self,
        transport: Transport,
        *,
        authority: str = "https://login.microsoftonline.com/common",
        graph_url: str = "https://graph.microsoft.com/v1.0",
        page_size: int = 100,
        limits: Limits | None = None,
        scopes: tuple[str, ...] = WANTED,
    ) -> None:
        self._grants = MicrosoftGrants(authority, scopes)
        self._graph = Graph(transport, graph_url, page_size=page_size, limits=limits or Limits())

    async def consent(
        self, app: OAuthApp, *, redirect_uri: str, state: str, login_hint: str | None
    ) -> Consent:
        """Make the address of Microsoft's sign-in page."""
        return await self._grants.consent(
            app, redirect_uri=redirect_uri, state=state, login_hint=login_hint
        )

    async def exchange(
        self,
        app: OAuthApp,
        *,
        redirect_uri: str,  # noqa: ARG002 - msal keeps it in the memory
        memory: bytes,
        answer: Mapping[str, str],
        now: datetime,
    ) -> ConsentReturn:
        """Turn the query that Microsoft sent back into a grant and its account."""
        result = await self._grants.exchange(app, memory=memory, answer=answer)
        grant = grant_of(result, now)
        require_calendars(grant)
        return ConsentReturn(grant=grant, account=await self.account(grant))

    async def adopt(self, app: OAuthApp, refresh_token: str, now: datetime) -> ConsentReturn:
        """Take a refresh token of a consent that was held elsewhere."""
        bare = Grant(refresh_token=refresh_token, access_token="", expires_at=now)
        grant = await self._grants.refresh(app, bare, now)
        require_calendars(grant)
        return ConsentReturn(grant=grant, account=await self.account(grant))

    async def refresh(self, app: OAuthApp, grant: Grant, now: datetime) -> Grant:
        """Return a fresh grant, nearly always with another refresh token."""
        return await self._grants.refresh(app, grant, now)

    async def revoke(self, app: OAuthApp, grant: Grant) -> None:
        """Do nothing: Microsoft has no way to drop one grant (providers.md 5.1)."""

    async def account(self, grant: Grant) -> Account:
        """Ask whose grant it is; the key comes with the tokens, for addresses change."""
        body = await self._graph.mailbox(grant).read("/me", "account")
        key = grant.account_key or text(body, "id")
        email = address(body, "mail") or address(body, "userPrincipalName")
        if key is None or email is None:
            raise TryLater("Microsoft does not say whose account it is", code="unreadable_answer")
        return Account(key=key, email=email, name=text(body, "displayName"))

    async def calendars(self, grant: Grant) -> tuple[ListedCalendar, ...]:
        """List every calendar that the account shows."""
        rows = list(await self._graph.mailbox(grant).rows("/me/calendars", "account"))
        owner = wire.default_owner(rows)
        found = (wire.listed_calendar(row, owner) for row in rows)
        return tuple({entry.platform_id: entry for entry in found if entry}.values())

    def changes(
        self, grant: Grant, calendar: CalendarRef, *, cursor: str | None, window: Window
    ) -> AsyncIterator[ChangePage]:
        """Give everything in the window, or what changed since the cursor."""
        mailbox = self._graph.mailbox(grant, calendar.account_id)
        return DeltaRound(mailbox, calendar, window).pages(cursor)

    async def series(self, grant: Grant, calendar: CalendarRef, series_id: str) -> Series | None:
        """Return a series as its master describes it, cancelled occurrences left out."""
        mailbox = self._graph.mailbox(grant, calendar.account_id)
        theirs = f"/calendars/{quote(calendar.platform_id, safe='')}" if calendar.is_shared else ""
        path = f"/me{theirs}/events/{quote(series_id, safe='')}"
        try:
            row = await mailbox.read(path, "calendar", {"$select": masters.MEMBERS})
        except (CalendarGone, GiveUp):
            return None
        return masters.read_series(row)

    async def watch(
        self,
        grant: Grant,
        calendar: CalendarRef,
        *,
        address: str,
        secret: str,
        watch_id: str,  # noqa: ARG002 - Graph chooses its own
        expires_at: datetime,
    ) -> WatchReceipt:
        """Subscribe to a calendar; Graph tests ``address`` before it answers."""
        mailbox = self._graph.mailbox(grant, calendar.account_id)
        push = pushes.Push(address=address, secret=secret, expires_at=expires_at)
        return await pushes.subscribe(mailbox, calendar, push)

    async def renew(
        self, grant: Grant, receipt: WatchReceipt, *, expires_at: datetime
    ) -> WatchReceipt | None:
        """Prolong a subscription; None where it has lapsed."""
        return await pushes.prolong(self._graph.mailbox(grant), receipt, expires_at)

    async def unwatch(self, grant: Grant, receipt: WatchReceipt) -> None:
        """Delete a subscription."""
        await pushes.unsubscribe(self._graph.mailbox(grant), receipt.platform_watch_id)

    def handshake(self, query: Mapping[str, str]) -> str | None:
        """Return the token that Graph wants to see again (providers.md 7.2)."""
        return query.get("validationToken")

    def read_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:  # noqa: ARG002 - Graph says it in the body
        """Say which subscriptions rang."""
        return pushes.read_notices(body)
