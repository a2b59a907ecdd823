"""``/v1/calendar/users``: the people of a tenant."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, delete, get, patch
from litestar.params import FromPath, JSONBody, QueryParameter

from meetbot_calendar.journeys import erase, users
from meetbot_calendar.web.api.parts import PAGED, Caller, Given, PageOf, Wish, page_of, utc
from meetbot_calendar.web.auth import PERSON
from tenants.identity import CalendarUser, CalendarUserId


class UserPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a calendar user; each field given replaces the whole of what was."""

    attributes: dict[str, Any] | None = None
    bot_config: dict[str, Any] | None = None


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar user."""

    id: str
    customer_user_id: str
    attributes: dict[str, Any]
    bot_config: dict[str, Any]
    auto_schedule: bool
    created_at: datetime
    updated_at: datetime


def user_view(user: CalendarUser) -> UserView:
    """Write a calendar user."""
    return UserView(
        id=user.id,
        customer_user_id=user.customer_user_id,
        attributes=user.attributes,
        bot_config=user.bot_config,
        auto_schedule=user.auto_schedule,
        created_at=utc(user.created_at),
        updated_at=utc(user.updated_at),
    )


@get()
async def list_calendar_users(
    services: Given,
    context: Caller,
    wish: Wish,
    customer_user_id: Annotated[
        str | None,
        QueryParameter(max_length=255, description="Only the one with this id of yours."),
    ] = None,
) -> PageOf[UserView]:
    """List calendar users, newest first."""
    listed = await users.list_users(services, context, wish, customer_user_id)
    return page_of(listed, tuple(user_view(user) for user in listed.results))


@get("/{user_id:str}")
async def read_calendar_user(
    services: Given, context: Caller, user_id: FromPath[CalendarUserId]
) -> UserView:
    """Return one calendar user."""
    return user_view(await users.read_user(services, context, user_id))


@patch("/{user_id:str}")
async def change_calendar_user(
    services: Given,
    context: Caller,
    user_id: FromPath[CalendarUserId],
    data: JSONBody[UserPatch],
) -> UserView:
    """Change attributes, which rules read as `user.attributes.*`, or the bot settings."""
    change = users.UserChange(attributes=data.attributes, bot_config=data.bot_config)
    return user_view(await users.change_user(services, context, user_id, change))


@delete("/{user_id:str}")
async def erase_calendar_user(
    services: Given, context: Caller, user_id: FromPath[CalendarUserId]
) -> None:
    """Erase a person: accounts are parted from, bots called back, everything stored deleted."""
    await erase.erase_user(services, context, user_id)


router = Router(
    "/v1/calendar/users",
    route_handlers=[
        list_calendar_users,
        read_calendar_user,
        change_calendar_user,
        erase_calendar_user,
    ],
    dependencies=PAGED,
    opt=PERSON,
    tags=["Calendar users"],
)
