"""What a fleet's refusal means for us, by its status; its sentences may hold meeting links."""

import re

from meetbot_calendar.errors import (
    GiveUp,
    InstallationFault,
    MeetbotError,
    OutcomeUnknown,
    TryLater,
)
from meetbot_calendar.gateways.transport import Answer, retry_after
from meetbot_calendar.gateways.untrusted import child, object_in, text

FULL = frozenset({408, 425, 429, 503, 507})
NOT_LET_IN = frozenset({401, 402, 403, 405})
GONE = frozenset({404, 410})
_SERVER_ERRORS = 500
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_LINK_FIELDS = frozenset({"meeting_url", "meeting_link"})


def trouble(answer: Answer) -> MeetbotError:
    """Say what a status that is no success means; an error after sending may hide a success."""
    status = answer.status
    if status in FULL:
        return busy(answer)
    if status in NOT_LET_IN or status < 400:  # noqa: PLR2004 - redirects: the address is wrong
        return closed(answer)
    if status >= _SERVER_ERRORS:
        return OutcomeUnknown(f"the fleet failed ({status})", after=retry_after(answer))
    return GiveUp(f"the fleet refuses the bot ({status})", code=refusal_code(answer))


def busy(answer: Answer, code: str = "fleet_busy") -> TryLater:
    """Say that there is no room now."""
    detail = f"the fleet has no room now ({answer.status})"
    return TryLater(detail, after=retry_after(answer), code=code)


def closed(answer: Answer, what: str = "check its URL and key") -> InstallationFault:
    """Say that only the operator can open this door."""
    detail = f"the fleet does not let us in ({answer.status}): {what}"
    return InstallationFault(detail, code="fleet_closed")


def refusal_code(answer: Answer) -> str:
    """Return the fleet's own code where it is one word, or that the link is what it refuses."""
    body = object_in(answer.body)
    code = (text(body, "code") or text(child(body, "error"), "code") or "").lower()
    if _CODE.fullmatch(code):
        return code
    return "bad_link" if _LINK_FIELDS & body.keys() else "fleet_refused"
