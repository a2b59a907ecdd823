"""What Microsoft's refusals mean: decided on codes, never on messages (providers.md 5.4, 8)."""

import re
from typing import Literal

from meetbot_calendar.errors import (
    AccessExpired,
    CalendarGone,
    CursorExpired,
    GiveUp,
    InstallationFault,
    MeetbotError,
    ReconnectNeeded,
    Refused,
    TryLater,
)
from meetbot_calendar.gateways.transport import Answer, retry_after
from meetbot_calendar.gateways.untrusted import Json, child, object_in, text

About = Literal["account", "calendar", "subscription"]

CALENDAR_PERMISSION = "Read your calendars"
_THROTTLED = {"applicationthrottled", "toomanyrequests", "activitylimitreached"}
_CURSOR = {"syncstatenotfound", "resyncrequired", "syncstateinvalid"}
_NO_MAILBOX = {"mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi"}
_BAD_ADDRESS = {"validationerror", "invalidrequest"}

_PERSON = {"invalid_grant", "interaction_required", "consent_required", "login_required"}
_CLIENT = {
    "invalid_client",
    "unauthorized_client",
    "invalid_request",
    "invalid_scope",
    "invalid_resource",
    "unsupported_grant_type",
    "unsupported_response_type",
}
_PASSING = {"temporarily_unavailable", "server_error"}

_WHY = {
    50173: "the permission was revoked or the password was reset",
    700082: "the permission was not used for 90 days",
    70008: "the permission has run out",
    700084: "the app's redirect address is registered as a single-page app: register it as Web",
    70043: "the organisation asks for a new sign-in from time to time",
    50074: "the organisation asks for a second factor",
    50076: "the organisation asks for a second factor",
    50078: "the organisation asks for a second factor",
    50079: "the organisation asks for a second factor",
    53000: "the organisation's access policy blocks it: ask the administrator",
    53003: "the organisation's access policy blocks it: ask the administrator",
    530032: "the organisation's access policy blocks it: ask the administrator",
    65001: "the permission has not been given",
    65004: "the person did not give the permission",
    90094: "an administrator must approve this app first",
    90095: "an administrator must approve this app first",
    50105: "the administrator has not assigned this app to the person",
    50057: "the account is disabled",
    7000215: "the client secret is wrong",
    7000222: "the client secret has expired: make a new one",
    700016: "the app is not known in the organisation",
    7000112: "the app is disabled",
    50020: "the account does not belong to the configured authority",
    50194: "the app is not registered for several organisations",
}


def api_fault(answer: Answer, about: About) -> MeetbotError:
    """Return the error that a refusal of Graph stands for; ``about`` says what was asked of it."""
    codes = _codes(answer)
    if answer.status == 410 or codes & _CURSOR:  # noqa: PLR2004 - RFC 9110
        return CursorExpired("Microsoft no longer knows the sync position")
    if codes & _THROTTLED:
        said = _said(answer)
        return TryLater(f"Microsoft answers {said}", after=retry_after(answer), code="throttled")
    if codes & _NO_MAILBOX:
        detail = "the Microsoft account has no Exchange Online mailbox: connect one that has"
        return ReconnectNeeded(detail, code="no_mailbox")
    return _by_status(answer, about, _said(answer))


def token_fault(result: Json) -> MeetbotError:
    """Return the error that a refusal of the token endpoint stands for."""
    error = text(result, "error") or ""
    why = _why(result)
    if error in _CLIENT:
        return InstallationFault(
            f"Microsoft refuses the app ({error}{why}): check its id, its secret, its redirect "
            "addresses and the authority"
        )
    if error in _PERSON or error == "access_denied":
        detail = f"Microsoft refuses the permission ({error}{why}): connect the account again"
        return ReconnectNeeded(detail)
    return TryLater(f"Microsoft's token service refuses for now{why}")


def callback_fault(answer: Json) -> MeetbotError:
    """Return what an ``error`` in the callback means; its text comes from anyone's browser."""
    error = text(answer, "error") or ""
    if error in _PASSING:
        return TryLater("Microsoft's sign-in is unavailable for now")
    if error in _CLIENT:
        return token_fault(answer)
    return Refused(f"the permission was not given{_why(answer)}", code="access_denied")


def _why(result: Json) -> str:
    """Return the reason in words, where Microsoft's number for it is known."""
    given = result.get("error_codes")
    numbers = list(given) if isinstance(given, list) else []
    found = re.match(r"AADSTS(\d{4,8})", text(result, "error_description") or "")
    numbers += [int(found[1])] if found else []
    return next((f", {_WHY[n]}" for n in numbers if isinstance(n, int) and n in _WHY), "")


def _codes(answer: Answer) -> set[str]:
    """Return ``error.code`` and the nested ones, lower case."""
    error = child(object_in(answer.body), "error")
    found: set[str] = set()
    while error:
        found.add((text(error, "code") or "").lower())
        error = child(error, "innerError") or child(error, "innererror")
    return found


def _by_status(answer: Answer, about: About, said: str) -> MeetbotError:
    status = answer.status
    if status == 401:  # noqa: PLR2004 - RFC 9110
        return _unauthorised(answer)
    if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 9110
        return TryLater(f"Microsoft answers {said}", after=retry_after(answer))
    if status in (403, 404):
        return _shut_out(about, said)
    if about == "subscription" and _codes(answer) & _BAD_ADDRESS:
        detail = f"Microsoft refuses our notification address ({said}): it must answer on the net"
        return InstallationFault(detail, code="push_address_refused")
    return GiveUp(f"Microsoft refuses the request ({said})")


def _unauthorised(answer: Answer) -> MeetbotError:
    if "claims=" in answer.headers.get("www-authenticate", ""):
        detail = "the organisation asks for a new sign-in: connect the Microsoft account again"
        return ReconnectNeeded(detail)
    return AccessExpired("Microsoft refuses the access token")


def _shut_out(about: About, said: str) -> MeetbotError:
    if about == "calendar":
        return CalendarGone(f"Microsoft no longer shows this calendar to the account ({said})")
    if about == "subscription":  # of this calendar alone; the account's other calls tell its own
        return TryLater(f"Microsoft lets nobody subscribe to this calendar now ({said})")
    detail = f"Microsoft refuses the account's calendars ({said}): connect it again"
    return ReconnectNeeded(detail)


def _said(answer: Answer) -> str:
    code = next((c for c in sorted(_codes(answer)) if c.replace("_", "").isalnum()), "no code")
    request_id = answer.headers.get("request-id", "")
    return f"{answer.status} {code[:60]}" + (f", request {request_id[:40]}" if request_id else "")
