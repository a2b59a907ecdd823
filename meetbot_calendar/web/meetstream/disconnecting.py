"""Disconnecting one account, and the legacy ``disconnect`` that knows of one alone."""

from typing import Annotated, Any

import msgspec
from litestar import delete
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import UNSET, UnsetType

from meetbot_calendar.calendars.model import Connection, Provider
from meetbot_calendar.errors import Missing, Refused
from meetbot_calendar.journeys import parting, reading
from meetbot_calendar.journeys.parting import Parted
from meetbot_calendar.journeys.scope import Scope
from meetbot_calendar.web.api.connect import ProviderName, provider_of
from meetbot_calendar.web.api.parts import Caller, Given
from meetbot_calendar.web.meetstream.callers import Mine

_Account = Annotated[str, msgspec.Meta(min_length=1, max_length=254, pattern=r"^[^\x00]*$")]
_PURGED = "All events and scheduled bots have been removed."
_KEPT = "Its scheduled bots have been cancelled, its events are kept."


class WhichAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which account to disconnect; needed where there are several."""

    provider: ProviderName | None = None
    account_id: _Account | None = None


class DisconnectedView(msgspec.Struct, frozen=True, kw_only=True):
    """What went with an account; of the two `…_stopped` its provider's is told."""

    disconnected: bool
    user_id: str
    provider: Provider
    account_id: str
    watch_channel_stopped: bool | UnsetType = UNSET
    subscription_stopped: bool | UnsetType = UNSET
    events_deleted: int
    schedules_cancelled: int
    message: str


def _view(parted: Parted, *, purged: bool) -> DisconnectedView:
    connection = parted.connection
    stopped: dict[str, Any] = {"watch_channel_stopped": parted.is_deaf}
    if connection.provider is Provider.OUTLOOK:
        stopped = {"subscription_stopped": parted.is_deaf}
    return DisconnectedView(
        disconnected=True,
        user_id=connection.user_id,
        provider=connection.provider,
        account_id=connection.account_id,
        events_deleted=parted.events_deleted,
        schedules_cancelled=len(parted.bots_cancelled),
        message=f"Calendar disconnected successfully. {_PURGED if purged else _KEPT}",
        **stopped,
    )


@delete("/connections/{provider:str}/{account_id:str}", status_code=200)
async def disconnect_account(
    services: Given,
    context: Caller,
    mine: Mine,
    provider: FromPath[ProviderName],
    account_id: FromPath[str],
    purge_events: FromQuery[bool] = True,
) -> DisconnectedView:
    """Disconnect one account; others stay. Its scheduled bots go, and unless told so its events.

    Pushes are no longer heeded when this is answered; the provider is told within seconds.
    """
    found = await reading.read_connection(
        services, context, mine, provider_of(provider), account_id.lower()
    )
    parted = await parting.part(services, context, found, purge_events=purge_events)
    return _view(parted, purged=purge_events)


@delete("/disconnect", status_code=200)
async def disconnect(
    services: Given,
    context: Caller,
    mine: Mine,
    data: JSONBody[WhichAccount | None] = None,
) -> DisconnectedView:
    """Disconnect the only account, with its events; of several, the one that the body names."""
    found = await reading.list_connections(services, context, mine)
    which = _meant(found, data or WhichAccount())
    parted = await parting.part(services, context, which, purge_events=True)
    return _view(parted, purged=True)


def _meant(found: tuple[Connection, ...], which: WhichAccount) -> Connection:
    if not found:
        raise Missing("No calendar is connected.")
    provider = None if which.provider is None else provider_of(which.provider)
    account_id = None if which.account_id is None else which.account_id.lower()
    if len(found) > 1 and (provider is None or account_id is None):
        raise Refused(
            f"{len(found)} calendars are connected: say which one to disconnect",
            code="several_connections",
        )
    scope = Scope(provider=provider, account_id=account_id)
    for connection in found:
        if scope.holds(connection.provider, connection.account_id):
            return connection
    said = " ".join(part for part in (provider, account_id) if part is not None)
    raise Missing(f"The account {said} is not connected.")


HANDLERS = (disconnect_account, disconnect)
