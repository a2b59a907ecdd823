"""All of MeetStream's calendar routes, under ``/v1/calendar`` and so under ``/api/v1/calendar``."""

from litestar import Router
from litestar.exceptions import HTTPException

from meetbot_calendar.web.auth import PERSON
from meetbot_calendar.web.meetstream import (
    auto_schedule,
    calendars,
    connecting,
    connections,
    disconnecting,
    events,
    recurring,
    scheduled_bots,
    scheduling,
)
from meetbot_calendar.web.meetstream.callers import ACTING
from meetbot_calendar.web.meetstream.faults import answer

router = Router(
    "/v1/calendar",
    route_handlers=[
        connecting.create_calendar,
        *connections.HANDLERS,
        *disconnecting.HANDLERS,
        calendars.list_live_calendars,
        *events.HANDLERS,
        *scheduling.HANDLERS,
        *scheduled_bots.HANDLERS,
        *auto_schedule.HANDLERS,
        *recurring.HANDLERS,
    ],
    dependencies=ACTING,
    exception_handlers={HTTPException: answer, Exception: answer},
    opt=PERSON,
    tags=["MeetStream"],
)
