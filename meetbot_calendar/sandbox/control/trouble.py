"""Control: ordered trouble, the clock, and what has been asked and pushed."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import delete, get, post
from litestar.params import FromQuery, JSONBody

from meetbot_calendar.sandbox.faults import Fault
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.journal import Asked

Body = dict[str, Any]


class Skip(msgspec.Struct, forbid_unknown_fields=True):
    """How far to push the clock."""

    seconds: Annotated[float, msgspec.Meta(ge=0)]


@get("/")
async def overview(world: Here) -> Body:
    """Say what time it is here and how much there is of everything."""
    state = world.state
    return {
        "now": world.clock.now(),
        "people": len(state.accounts),
        "calendars": len(state.calendars),
        "meetings": len(state.meetings),
        "watches": len(state.watches),
        "faults": len(state.faults),
        "requests": len(world.journal.asked),
    }


@get("/clock")
async def read_clock(world: Here) -> Body:
    """Say what time it is in the world, and how much of it was skipped."""
    return {"now": world.clock.now(), "skipped_seconds": world.clock.skipped.total_seconds()}


@post("/clock/advance")
async def advance_clock(data: JSONBody[Skip], world: Here) -> Body:
    """Push the clock forward; tokens and channels expire by it."""
    world.clock.advance(timedelta(seconds=data.seconds))
    return {"now": world.clock.now(), "skipped_seconds": world.clock.skipped.total_seconds()}


@post("/faults")
async def order_fault(data: JSONBody[Fault], world: Here) -> Fault:
    """Order trouble: ``{target, kind, times?, account?, detail?}``; times -1 is for ever."""
    world.faults.standing.append(data)
    return data


@get("/faults")
async def list_faults(world: Here) -> list[Fault]:
    """List the trouble that is still to come."""
    return world.faults.standing


@delete("/faults", status_code=200)
async def clear_faults(world: Here, target: FromQuery[str] = "") -> Body:
    """Call trouble off: at a target and beneath it, or everywhere."""
    world.faults.clear(target)
    return {"left": len(world.faults.standing)}


@get("/watches")
async def list_watches(world: Here) -> list[Body]:
    """List push subscriptions, live and lapsed, without their secrets."""
    now = world.clock.now()
    return [
        {
            "id": w.id,
            "provider": w.provider,
            "account": w.account,
            "calendar": w.calendar,
            "address": w.address,
            "expires_at": w.expires_at,
            "live": w.expires_at is None or w.expires_at > now,
            "messages": w.messages,
            "delivered": w.delivered,
            "lost": w.lost,
        }
        for w in world.state.watches.values()
    ]


@get("/requests")
async def list_requests(
    world: Here, path: FromQuery[str] = "", account: FromQuery[str] = ""
) -> list[Asked]:
    """List what was asked, without secrets: paths that hold ``path``, tokens of ``account``."""
    return world.journal.find(path, account)


@delete("/requests", status_code=200)
async def forget_requests(world: Here) -> Body:
    """Start counting requests anew."""
    world.journal.asked.clear()
    return {"requests": 0}
