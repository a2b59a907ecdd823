"""The port: what any calendar provider can do for us."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

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
from meetbot_calendar.calendars.recurrence import Series


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send the person, and what must be remembered until they come back.

    ``memory`` holds the PKCE verifier (RFC 7636) and the like: it is stored sealed.
    """

    url: str
    memory: bytes

    def __repr__(self) -> str:
        return "Consent(***)"


class CalendarRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which calendar of which account a call is about; ``is_shared`` marks another person's."""

    platform_id: str
    account_id: str
    is_primary: bool = False
    is_shared: bool = False


class ConsentReturn(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished consent gave: the grant and whose it is."""

    grant: Grant
    account: Account


class CalendarProvider(Protocol):
    """One provider. Blocking libraries inside run in threads; every call may be cancelled.

    Every method may raise ``TryLater`` (throttled, unreachable, 5xx), ``ReconnectNeeded`` (the
    grant is refused), ``InstallationFault`` (our client id or secret is refused). Every method
    that spends an access token may raise ``AccessExpired``: refresh once, then try once more.
    """

    name: Provider

    async def consent(
        self, app: OAuthApp, *, redirect_uri: str, state: str, login_hint: str | None
    ) -> Consent:
        """Make the address of the provider's consent page."""
        ...

    async def exchange(
        self,
        app: OAuthApp,
        *,
        redirect_uri: str,
        memory: bytes,
        answer: Mapping[str, str],
        now: datetime,
    ) -> ConsentReturn:
        """Turn the query that the provider sent back into a grant and its account.

        ``answer`` holds the callback's query parameters, state included. Raises ``Refused`` with
        code ``access_denied``, ``missing_scope`` (naming the box to tick) or ``invalid_code``.
        """
        ...

    async def adopt(self, app: OAuthApp, refresh_token: str, now: datetime) -> ConsentReturn:
        """Take a refresh token of a consent that was held elsewhere, by really refreshing it.

        Raises ``Refused`` (``missing_scope``) where it does not let us read calendars.
        """
        ...

    async def refresh(self, app: OAuthApp, grant: Grant, now: datetime) -> Grant:
        """Return a fresh grant; its refresh token may be a new one that must be kept."""
        ...

    async def revoke(self, app: OAuthApp, grant: Grant) -> None:
        """Drop the grant at the provider, where the provider has a way. Already dead is fine."""
        ...

    async def account(self, grant: Grant) -> Account:
        """Ask whose grant it is."""
        ...

    async def calendars(self, grant: Grant) -> tuple[ListedCalendar, ...]:
        """List every calendar that the account shows."""
        ...

    def changes(
        self, grant: Grant, calendar: CalendarRef, *, cursor: str | None, window: Window
    ) -> AsyncIterator[ChangePage]:
        """Give everything in the window (no cursor) or what changed since the cursor, in pages.

        A round whose last page carries no cursor was complete; the next one reads everything.
        Raises ``CursorExpired`` or ``CalendarGone``; a round that never ends is ``TryLater`` with
        code ``endless_round``.
        """
        ...

    async def series(self, grant: Grant, calendar: CalendarRef, series_id: str) -> Series | None:
        """Return a series as its master describes it; None where there is no such series."""
        ...

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
        """Ask for pushes to ``address``. Raises ``PushUnsupported`` where there never will be.

        Raises ``WatchStands`` where the provider lets no second watch stand beside one that does.
        ``watch_id`` is unused by providers that choose their own. ``expires_at`` is a wish: what
        the receipt says counts. Seven days ahead are refused by some, six by none.
        """
        ...

    async def renew(
        self, grant: Grant, receipt: WatchReceipt, *, expires_at: datetime
    ) -> WatchReceipt | None:
        """Prolong a watch; None where the provider cannot, or has lost it, and a new one is due."""
        ...

    async def unwatch(self, grant: Grant, receipt: WatchReceipt) -> None:
        """Stop a watch. One that is already gone is fine."""
        ...

    def handshake(self, query: Mapping[str, str]) -> str | None:
        """Return what must be echoed as plain text when the provider only tests the address."""
        ...

    def read_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """Say which watches rang. ``headers`` are lower case. Raises ``Tampered`` on nonsense."""
        ...
