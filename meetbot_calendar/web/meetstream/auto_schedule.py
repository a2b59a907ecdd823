"""``/v1/calendar/auto-schedule``: everything with a link is recorded, or not."""

from typing import Any

import msgspec
from litestar import get, post
from litestar.params import JSONBody

from meetbot_calendar.journeys import auto_schedule, users
from meetbot_calendar.journeys.auto_schedule import Switched
from meetbot_calendar.web.api.parts import Caller, Given
from meetbot_calendar.web.meetstream.callers import Mine, MineIfAny


class EnableBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the bots to come; left out, they stay as they are."""

    default_bot_config: dict[str, Any] | None = None


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether meetings are scheduled automatically, and with which settings."""

    auto_schedule_enabled: bool
    default_bot_config: dict[str, Any]


class EffectsView(msgspec.Struct, frozen=True, kw_only=True):
    """What it did at once."""

    scheduled: int
    cancelled: int
    unchanged: int


class SwitchedView(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands now, and what that did to the caller's bots at once."""

    message: str
    auto_schedule_enabled: bool
    default_bot_config: dict[str, Any]
    effects: EffectsView


def _view(done: Switched) -> SwitchedView:
    state = "enabled" if done.user.auto_schedule else "disabled"
    return SwitchedView(
        message=f"Auto-scheduling {state} successfully",
        auto_schedule_enabled=done.user.auto_schedule,
        default_bot_config=done.user.bot_config,
        effects=EffectsView(
            scheduled=done.effects.scheduled,
            cancelled=done.effects.cancelled,
            unchanged=done.effects.unchanged,
        ),
    )


@post("/auto-schedule/enable", status_code=200)
async def enable_auto_schedule(
    services: Given, context: Caller, mine: Mine, data: JSONBody[EnableBody | None] = None
) -> SwitchedView:
    """Schedule all coming meetings that have a link, now and as they appear.

    Where the caller or the tenant has rules, those decide first; this is the answer where no rule
    matches and no default is given.
    """
    config = data.default_bot_config if data else None
    return _view(await auto_schedule.switch(services, context, mine, on=True, bot_config=config))


@post("/auto-schedule/disable", status_code=200)
async def disable_auto_schedule(services: Given, context: Caller, mine: Mine) -> SwitchedView:
    """Schedule nothing automatically any more; what was scheduled by hand or by rules stays."""
    return _view(await auto_schedule.switch(services, context, mine, on=False))


@get("/auto-schedule/settings")
async def read_auto_schedule(
    services: Given, context: Caller, mine_if_any: MineIfAny
) -> SettingsView:
    """Say whether meetings are scheduled automatically, and with which settings."""
    if mine_if_any is None:
        return SettingsView(auto_schedule_enabled=False, default_bot_config={})
    user = await users.read_user(services, context, mine_if_any)
    return SettingsView(
        auto_schedule_enabled=user.auto_schedule, default_bot_config=user.bot_config
    )


HANDLERS = (enable_auto_schedule, disable_auto_schedule, read_auto_schedule)
