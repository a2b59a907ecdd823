"""Google's end as one router, and its part in the world."""

from litestar import Router

from meetbot_calendar.sandbox.google import calendar_api, oauth, watch_api
from meetbot_calendar.sandbox.google.consent import ConsentRefused
from meetbot_calendar.sandbox.google.errors import (
    GoogleError,
    HtmlTrouble,
    answer_error,
    answer_html,
)
from meetbot_calendar.sandbox.google.oauth_errors import OAuthError, answer_oauth_error
from meetbot_calendar.sandbox.google.push import announcer
from meetbot_calendar.sandbox.google.rows import write_copy
from meetbot_calendar.sandbox.world import World


def join(world: World) -> None:
    """Register what Google does when meetings and rows change."""
    world.writers["google"] = write_copy
    world.rows.listeners.append(announcer(world))


def router() -> Router:
    """Return everything under ``/google``."""
    calendar = Router(
        path="/calendar/v3",
        route_handlers=[
            calendar_api.get_calendar_list,
            calendar_api.get_calendar_list_entry,
            calendar_api.get_events,
            calendar_api.get_event,
            calendar_api.get_instances,
            watch_api.watch_events,
            watch_api.stop,
        ],
    )
    return Router(
        path="/google",
        route_handlers=[
            oauth.show_consent,
            oauth.decide_consent,
            oauth.give_token,
            oauth.revoke,
            oauth.get_userinfo,
            oauth.get_userinfo_v2,
            calendar,
        ],
        exception_handlers={
            GoogleError: answer_error,
            HtmlTrouble: answer_html,
            OAuthError: answer_oauth_error,
            ConsentRefused: oauth.answer_refusal,
        },
    )
