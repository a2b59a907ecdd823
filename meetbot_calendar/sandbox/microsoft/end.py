"""Microsoft's end as one router, and its part in the world."""

from litestar import Router
from litestar.di import Provide

from meetbot_calendar.sandbox.microsoft import (
    calendars_api,
    events_api,
    identity_api,
    lifecycle_api,
    subscriptions_api,
)
from meetbot_calendar.sandbox.microsoft.access import Door
from meetbot_calendar.sandbox.microsoft.answers import front_end_down, refused
from meetbot_calendar.sandbox.microsoft.authorise import Shown
from meetbot_calendar.sandbox.microsoft.entra_codes import EntraRefusal
from meetbot_calendar.sandbox.microsoft.failures import GraphRefusal
from meetbot_calendar.sandbox.microsoft.notices import Notifier
from meetbot_calendar.sandbox.microsoft.rows import write_copy
from meetbot_calendar.sandbox.microsoft.trouble import HtmlTrouble
from meetbot_calendar.sandbox.world import World


def join(world: World) -> None:
    """Register what Microsoft does when meetings and rows change."""
    world.writers["outlook"] = write_copy
    world.rows.listeners.append(Notifier(world).heard)


def router() -> Router:
    """Return everything under ``/microsoft``: authority ``/microsoft/{tenant}``, and Graph."""
    return Router(
        path="/microsoft",
        route_handlers=[
            identity_api.discover,
            identity_api.discover_instance,
            identity_api.list_keys,
            identity_api.show_consent,
            identity_api.decide_consent,
            identity_api.give_token,
            identity_api.log_out,
            _graph(),
        ],
        exception_handlers={
            EntraRefusal: identity_api.answer_refusal,
            Shown: identity_api.answer_shown,
            HtmlTrouble: front_end_down,
            GraphRefusal: refused,
        },
    )


def control_router() -> Router:
    """Return Microsoft's part of the control API, under ``/sandbox/microsoft``."""
    return Router(path="/sandbox/microsoft", route_handlers=[lifecycle_api.send])


def _graph() -> Router:
    return Router(
        path="/graph/v1.0",
        dependencies={"caller": Provide(Door().caller)},
        route_handlers=[
            calendars_api.read_me,
            calendars_api.list_calendars,
            calendars_api.read_default_calendar,
            calendars_api.read_calendar,
            events_api.read_view,
            events_api.read_view_of,
            events_api.read_delta,
            events_api.read_delta_of,
            events_api.list_events,
            events_api.list_events_of,
            events_api.read_event,
            events_api.list_instances,
            subscriptions_api.make,
            subscriptions_api.list_mine,
            subscriptions_api.read_one,
            subscriptions_api.renew,
            subscriptions_api.reauthorize,
            subscriptions_api.end,
        ],
    )
