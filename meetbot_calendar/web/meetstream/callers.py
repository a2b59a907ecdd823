"""For which calendar user a MeetStream client's call acts (contract, section 2)."""

from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys import acting
from meetbot_calendar.web.api.parts import CALLER, Caller, CustomerHeader, Given, UserIdQuery
from tenants.identity import CalendarUserId

Mine = NamedDependency[SkipValidation[CalendarUserId]]
"""The person for whom the call acts."""

MineIfAny = NamedDependency[SkipValidation[CalendarUserId | None]]
"""The same; None where the tenant has nobody yet: then its lists are empty."""


async def mine_if_any(
    services: Given,
    context: Caller,
    user_query: UserIdQuery = None,
    customer_user_id: CustomerHeader = None,
) -> CalendarUserId | None:
    """Find the person whom the key, the request or the tenant's having one alone names."""
    user_id = None if user_query is None else CalendarUserId(user_query)
    return await acting.acting(services, context, user_id, customer_user_id)


async def mine(mine_if_any: MineIfAny) -> CalendarUserId:
    """Insist on there being a person."""
    if mine_if_any is None:
        raise Missing("Nobody has connected a calendar yet.", code="no_calendar_user")
    return mine_if_any


ACTING = CALLER | {"mine_if_any": Provide(mine_if_any), "mine": Provide(mine)}
