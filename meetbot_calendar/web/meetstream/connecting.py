"""``create_calendar`` and its two other names: connecting with credentials at hand."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from meetbot_calendar.calendars.model import Calendar, OAuthApp, Provider
from meetbot_calendar.errors import Fault, Invalid
from meetbot_calendar.journeys import acting, credentials
from meetbot_calendar.journeys.credentials import Adopted, Credentials
from meetbot_calendar.journeys.watching import Kept, Watched
from meetbot_calendar.web.api.parts import Caller, CustomerHeader, Given, UserIdQuery
from meetbot_calendar.web.meetstream.words import CALENDAR_PLATFORMS, access_role, zulu
from tenants.identity import CalendarUserId

_Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=16384, pattern=r"^[^\x00]*$")]
_PARTS = ("client_id", "client_secret", "refresh_token")


class CredentialsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Google's three fields, or Microsoft's three: which are sent decides the provider."""

    google_client_id: _Secret | None = None
    google_client_secret: _Secret | None = None
    google_refresh_token: _Secret | None = None
    microsoft_client_id: _Secret | None = None
    microsoft_client_secret: _Secret | None = None
    microsoft_refresh_token: _Secret | None = None
    replace: bool = False

    def __repr__(self) -> str:
        return "CredentialsBody(***)"


class CalendarRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A calendar of the account, as its provider names it."""

    id: str
    summary: str
    is_primary: bool
    access_role: str
    selected: bool


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A Google calendar that is watched; `expiration` is in milliseconds, as Google writes it."""

    calendar_id: str
    calendar_summary: str
    channel_id: str
    expiration: str


class SubscriptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """An Outlook calendar that is watched."""

    calendar_id: str
    calendar_summary: str
    subscription_id: str
    expiration: str


class UnwatchedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar that cannot be watched: it is polled."""

    calendar_id: str
    calendar_summary: str
    error: str


class WatchSetupView(msgspec.Struct, frozen=True, kw_only=True):
    """How watching went: Google's calendars by channels, Outlook's by subscriptions."""

    success: bool
    watches_setup: int | UnsetType = UNSET
    watch_results: tuple[ChannelRow, ...] | UnsetType = UNSET
    subscriptions_setup: int | UnsetType = UNSET
    subscription_results: tuple[SubscriptionRow, ...] | UnsetType = UNSET
    failed_calendars: tuple[UnwatchedRow, ...]


class ConnectedView(msgspec.Struct, frozen=True, kw_only=True):
    """The account that was connected; nothing of its credentials."""

    calendar_id: str
    platform: str
    provider: Provider
    account_id: str
    user_id: str
    user_email: str
    user_name: str | None
    calendars: tuple[CalendarRow, ...]
    primary_calendar_id: str | None
    watch_setup: WatchSetupView
    message: str


def credentials_of(body: CredentialsBody) -> Credentials:
    """Read which provider's credentials were sent. Raises ``Invalid``."""
    google, microsoft = _sent(body, "google"), _sent(body, "microsoft")
    if bool(google) == bool(microsoft):
        detail = "Send google_client_id, google_client_secret and google_refresh_token,"
        raise Invalid(f"{detail} or the same three of microsoft: one account in a request.")
    name = "google" if google else "microsoft"
    given = google or microsoft
    faults = tuple(
        Fault(f"/{name}_{part}", "This field is missing.") for part in _PARTS if part not in given
    )
    if faults:
        raise Invalid("The credentials are not complete.", faults)
    provider = Provider.GOOGLE if google else Provider.OUTLOOK
    app = OAuthApp(
        provider=provider, client_id=given["client_id"], client_secret=given["client_secret"]
    )
    return Credentials(app=app, refresh_token=given["refresh_token"])


def _sent(body: CredentialsBody, name: str) -> dict[str, str]:
    found = {part: getattr(body, f"{name}_{part}") for part in _PARTS}
    return {part: value for part, value in found.items() if value is not None}


def _connected(made: Adopted) -> ConnectedView:
    connection = made.connection
    platform = CALENDAR_PLATFORMS[connection.provider]
    return ConnectedView(
        calendar_id=f"{platform}_{connection.user_id}",
        platform=platform,
        provider=connection.provider,
        account_id=connection.account_id,
        user_id=connection.user_id,
        user_email=connection.account_id,
        user_name=connection.name,
        calendars=tuple(_row(calendar) for calendar in made.calendars),
        primary_calendar_id=next((c.platform_id for c in made.calendars if c.is_primary), None),
        watch_setup=_watch_setup(connection.provider, made.watched),
        message="Calendar connected successfully",
    )


def _row(calendar: Calendar) -> CalendarRow:
    return CalendarRow(
        id=calendar.platform_id,
        summary=calendar.name,
        is_primary=calendar.is_primary,
        access_role=access_role(calendar.access_role),
        selected=calendar.selected,
    )


def _watch_setup(provider: Provider, watched: tuple[Watched, ...]) -> WatchSetupView:
    kept = [(each.calendar, each.kept) for each in watched if each.kept is not None]
    failed = tuple(_unwatched(each) for each in watched if each.kept is None)
    success = bool(kept) or not failed
    if provider is Provider.GOOGLE:
        return WatchSetupView(
            success=success,
            watches_setup=len(kept),
            watch_results=tuple(_channel(calendar, watch) for calendar, watch in kept),
            failed_calendars=failed,
        )
    return WatchSetupView(
        success=success,
        subscriptions_setup=len(kept),
        subscription_results=tuple(_subscription(calendar, watch) for calendar, watch in kept),
        failed_calendars=failed,
    )


def _channel(calendar: Calendar, watch: Kept) -> ChannelRow:
    return ChannelRow(
        calendar_id=calendar.platform_id,
        calendar_summary=calendar.name,
        channel_id=watch.platform_watch_id,
        expiration=str(int(watch.expires_at.timestamp() * 1000)),
    )


def _subscription(calendar: Calendar, watch: Kept) -> SubscriptionRow:
    return SubscriptionRow(
        calendar_id=calendar.platform_id,
        calendar_summary=calendar.name,
        subscription_id=watch.platform_watch_id,
        expiration=zulu(watch.expires_at),
    )


def _unwatched(watched: Watched) -> UnwatchedRow:
    return UnwatchedRow(
        calendar_id=watched.calendar.platform_id,
        calendar_summary=watched.calendar.name,
        error=watched.error or "",
    )


@post(["/create_calendar", "/create_google_calendar", "/create_outlook_calendar"])
async def create_calendar(
    services: Given,
    context: Caller,
    data: JSONBody[CredentialsBody],
    user_query: UserIdQuery = None,
    customer_user_id: CustomerHeader = None,
) -> ConnectedView:
    """Connect a Google or Outlook account with an OAuth client and a refresh token of its own.

    The credentials are tried with the provider first. An account that is connected already is 409
    unless `replace` renews it in place: its events, bots and watches stay.
    """
    given = credentials_of(data)
    user_id = None if user_query is None else CalendarUserId(user_query)
    whose = await acting.connecting(services, context, user_id, customer_user_id)
    made = await credentials.adopt(services, context, whose, given, replace=data.replace)
    return _connected(made)
