"""Graph's ``/subscriptions``: make, list, renew, reauthorise, end."""

from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath

from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.microsoft.access import Admitted
from meetbot_calendar.sandbox.microsoft.answers import answer
from meetbot_calendar.sandbox.microsoft.failures import GraphRefusal
from meetbot_calendar.sandbox.microsoft.notices import resume
from meetbot_calendar.sandbox.microsoft.subscriptions import (
    Asked,
    expiry,
    invalid,
    mine,
    one,
    printed,
    shake_hands,
    subscribe,
)

_TARGET = "microsoft.subscriptions"
_ENTITY = "$metadata#subscriptions/$entity"
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


class Renewal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of PATCH: a lifecycle address cannot be added later."""

    expiration_date_time: str | None = None
    notification_url: str | None = None


@post("/subscriptions", target=_TARGET, mailbox=False)
async def make(world: Here, caller: Admitted, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Make a subscription; the handshakes happen inside this call."""
    asked = _decoded(await request.body(), Asked)
    watch = await subscribe(world, world.courier, caller, asked)
    if world.faults.take(_TARGET, "lose_answer", account=caller.account.email):
        raise GraphRefusal(504, "UnknownError", "Gateway timeout.")
    shown = {"@odata.context": f"{caller.root}/{_ENTITY}"}
    return answer(caller, shown | printed(watch, caller.account.subject), 201)


@get("/subscriptions", target=_TARGET, mailbox=False)
async def list_mine(world: Here, caller: Admitted) -> Response[bytes]:
    """Return this app's and person's subscriptions."""
    found = [printed(watch, caller.account.subject) for watch in mine(world, caller)]
    context = f"{caller.root}/$metadata#subscriptions"
    return answer(caller, {"@odata.context": context, "value": found})


@get("/subscriptions/{watch_id:str}", target=_TARGET, mailbox=False)
async def read_one(world: Here, caller: Admitted, watch_id: FromPath[str]) -> Response[bytes]:
    """Return one subscription."""
    shown = {"@odata.context": f"{caller.root}/{_ENTITY}"}
    watch = one(world, caller, watch_id)
    return answer(caller, shown | printed(watch, caller.account.subject))


@patch("/subscriptions/{watch_id:str}", target=_TARGET, mailbox=False)
async def renew(
    world: Here, caller: Admitted, request: Request[Any, Any, Any], watch_id: FromPath[str]
) -> Response[bytes]:
    """Renew and reauthorise a subscription; another address must pass the handshake first."""
    asked = _decoded(await request.body(), Renewal)
    watch = one(world, caller, watch_id)
    if asked.notification_url:
        await shake_hands(world.courier, asked.notification_url)
        watch.address = asked.notification_url
    if asked.expiration_date_time:
        watch.expires_at = expiry(world.clock.now(), asked.expiration_date_time)
    resume(world, watch)
    shown = {"@odata.context": f"{caller.root}/{_ENTITY}"}
    return answer(caller, shown | printed(watch, caller.account.subject))


@post("/subscriptions/{watch_id:str}/reauthorize", target=_TARGET, mailbox=False)
async def reauthorize(world: Here, caller: Admitted, watch_id: FromPath[str]) -> Response[bytes]:
    """Take up a paused subscription again, without making it last longer."""
    resume(world, one(world, caller, watch_id))
    return Response(b"", status_code=202)


@delete("/subscriptions/{watch_id:str}", target=_TARGET, mailbox=False)
async def end(world: Here, caller: Admitted, watch_id: FromPath[str]) -> None:
    """End a subscription."""
    del world.state.watches[one(world, caller, watch_id).id]


def _decoded(body: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise invalid(f"The request body is not valid: {error}") from None
