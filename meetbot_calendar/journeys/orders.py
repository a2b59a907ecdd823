"""What the fleet is asked for: a bot, its settings in their layers, and whose meeting it is."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.bots.model import Bot
from meetbot_calendar.journeys.services import Services
from tenants.identity import CalendarUser, CalendarUserId, Tenant
from tenants.storage import directory, users
from tenants.storage.session import TenantSession


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What several orders of one tenant share, as it stands when they are sent."""

    tenant: Tenant
    users: Mapping[CalendarUserId, CalendarUser]
    public_url: str


async def scene_of(services: Services, session: TenantSession, bots: Collection[Bot]) -> Scene:
    """Load what the orders of these bots need."""
    people = {bot.user_ids[0] for bot in bots if bot.user_ids}
    return Scene(
        tenant=await directory.get(session),
        users=await users.some(session, people),
        public_url=services.house.public_url,
    )


def order_of(bot: Bot, scene: Scene) -> Order:
    """Write one order."""
    user = _user_of(bot, scene)
    return Order(
        key=bot.id,
        bot_id=bot.id,
        tenant_id=bot.tenant_id,
        meeting_url=bot.content.meeting_url,
        platform=bot.platform,
        join_at=bot.join_at,
        bot_config=settings_of(bot, scene),
        metadata={
            "event_id": next(iter(bot.event_ids), None),
            "ical_uid": bot.content.ical_uid,
            "title": bot.content.title,
            "meetbot_calendar_user_id": user.id if user else None,
            "customer_user_id": user.customer_user_id if user else None,
        },
        callback_url=f"{scene.public_url}/v1/bots/{bot.id}/status",
        attempt=bot.attempts + 1,
    )


def settings_of(bot: Bot, scene: Scene) -> dict[str, Any]:
    """Return a bot's settings, all layers together, as they stand now."""
    user = _user_of(bot, scene)
    return layered(
        scene.tenant.policy.default_bot_config,
        user.bot_config if user else {},
        bot.content.bot_config,
        bot.content.hand_config,
    )


def _user_of(bot: Bot, scene: Scene) -> CalendarUser | None:
    return scene.users.get(bot.user_ids[0]) if bot.user_ids else None


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay bot settings over one another; the later key wins."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
    return merged
