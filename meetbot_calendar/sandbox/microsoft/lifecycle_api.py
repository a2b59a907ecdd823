"""Control: lifecycle events sent on demand to those who subscribed (providers 7.4)."""

from typing import Any, Literal

import msgspec
from litestar import post
from litestar.params import JSONBody

from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.microsoft.notices import send_lifecycle


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which event; to one subscription, to one person's, or to all of Outlook."""

    event: Literal["reauthorizationRequired", "subscriptionRemoved", "missed"]
    subscription: str = ""
    email: str = ""


@post("/lifecycle", status_code=200)
async def send(data: JSONBody[Lifecycle], world: Here) -> dict[str, Any]:
    """Send a lifecycle event; deliveries pause or end as it says."""
    found = [w for w in world.state.watches.values() if w.provider == "outlook"]
    meant = [
        w
        for w in found
        if data.subscription in ("", w.id) and data.email in ("", w.account.partition(":")[2])
    ]
    for watch in meant:
        send_lifecycle(world, watch, data.event)
    return {"sent": [watch.id for watch in meant]}
