"""What Google's refusals mean: the reason decides first, the status second (providers.md 4)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from meetbot_calendar.errors import (
    AccessExpired,
    CalendarGone,
    CursorExpired,
    GiveUp,
    InstallationFault,
    MeetbotError,
    PushUnsupported,
    ReconnectNeeded,
    TryLater,
)
from meetbot_calendar.gateways.transport import Answer, retry_after
from meetbot_calendar.gateways.untrusted import Json, child, children, object_in, text

About = Literal["account", "calendar"]

CALENDAR_BOX = "See and download any calendar you can access using your Google Calendar"
_QUOTA_WAIT = timedelta(hours=2)

_THROTTLED = {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}
_QUOTA = {"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg"}
_CURSOR = {"fullSyncRequired", "updatedMinTooLongAgo"}
_SCOPE = {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
_PROJECT = {"accessNotConfigured", "SERVICE_DISABLED"}
_PUSH_ADDRESS = {"push.webhookUrlNotHttps", "push.webhookUrlUnauthorized"}

_CLIENT_ERRORS = {
    "invalid_client",
    "unauthorized_client",
    "deleted_client",
    "disabled_client",
    "redirect_uri_mismatch",
    "unsupported_grant_type",
    "invalid_request",
    "org_internal",
}
_GRANT_ERRORS = {
    "invalid_grant": "Google says the permission was withdrawn or has run out",
    "admin_policy_enforced": "the Google Workspace administrator restricts access to calendars",
    "access_denied": "Google refuses access to this account",
    "invalid_scope": "Google no longer grants the calendar permission",
    "invalid_rapt": "Google Workspace asks the person to sign in again",
    "interaction_required": "Google asks the person to sign in again",
    "consent_required": "Google asks for the person's consent again",
    "login_required": "Google asks the person to sign in again",
}


def api_fault(answer: Answer, about: About) -> MeetbotError:
    """Return the error that a refusal of the Calendar API stands for.

    ``about`` says whether the request was bound to one calendar, which may be gone.
    """
    error = child(object_in(answer.body), "error")
    first = next(iter(children(error, "errors")), {})
    reason = _reason(error, first)
    known = _by_reason(reason, answer)
    if known is not None:
        return known
    if answer.status == 400 and first.get("location") == "syncToken":  # noqa: PLR2004 - RFC 9110
        return CursorExpired("Google does not take the sync token any more")
    return _by_status(answer, reason, about)


def token_fault(body: Json) -> MeetbotError:
    """Return the error that a refusal of the token endpoint stands for (providers.md 1.3)."""
    error = text(body, "error") or ""
    subtype = text(body, "error_subtype") or ""
    if error in _CLIENT_ERRORS:
        return InstallationFault(
            f"Google refuses the OAuth client ({error}): check its id, its secret, its redirect "
            "addresses and that it is not disabled"
        )
    why = _GRANT_ERRORS.get(subtype) or _GRANT_ERRORS.get(error)
    if why is not None:
        return ReconnectNeeded(f"{why} ({error}): connect the Google account again")
    return TryLater(f"Google's token service refuses for now ({_word(error)})")


def _word(error: str) -> str:
    """Return an error code that is safe to show: codes are short words."""
    return error if error.replace("_", "").isalnum() and len(error) <= 60 else "unnamed"  # noqa: PLR2004 - as said


def _reason(error: Json, first: Json) -> str:
    """Return the most telling reason: newer answers give theirs in ``details``."""
    reasons = [text(each, "reason") for each in (*children(error, "details"), first)]
    return next((each for each in reasons if each), "")


def _by_reason(reason: str, answer: Answer) -> MeetbotError | None:
    makers: tuple[tuple[set[str], Callable[[], MeetbotError]], ...] = (
        (_THROTTLED, lambda: _throttled(answer)),
        (_QUOTA, lambda: _over_quota(answer)),
        (_CURSOR, lambda: CursorExpired("Google asks for a full sync")),
        (_SCOPE, _scope_lacking),
        (_PROJECT, _project_disabled),
        (_PUSH_ADDRESS, lambda: _bad_push_address(reason)),
        (
            {"pushNotSupportedForRequestedResource"},
            lambda: PushUnsupported("Google does not push for this calendar"),
        ),
        (
            {"channelIdNotUnique"},
            lambda: TryLater("this channel id is taken: take a new one", code="watch_id_taken"),
        ),
    )
    return next((make() for reasons, make in makers if reason in reasons), None)


def _by_status(answer: Answer, reason: str, about: About) -> MeetbotError:
    status = answer.status
    said = f"{status} {_word(reason)}"
    if status == 401:  # noqa: PLR2004 - RFC 9110
        return AccessExpired("Google refuses the access token")
    if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 9110
        return TryLater(f"Google answers {said}", after=retry_after(answer))
    if status == 410:  # noqa: PLR2004 - RFC 9110
        return CursorExpired("Google no longer knows the sync token")
    if status in (403, 404) and about == "calendar":
        return CalendarGone(f"Google no longer shows this calendar to the account ({said})")
    if status == 403:  # noqa: PLR2004 - RFC 9110
        return ReconnectNeeded(f"Google refuses the account's calendars ({said}): connect it again")
    return GiveUp(f"Google refuses the request ({said})")


def _throttled(answer: Answer) -> MeetbotError:
    return TryLater("Google's rate limit is reached", after=retry_after(answer), code="throttled")


def _over_quota(answer: Answer) -> MeetbotError:
    said = "Google's usage limit is reached"
    if after := retry_after(answer):
        return TryLater(said, after=after, code="throttled")
    return TryLater(said, after=_QUOTA_WAIT, code="quota_exceeded")


def _scope_lacking() -> MeetbotError:
    detail = f'the permission "{CALENDAR_BOX}" is missing: connect again and tick its box'
    return ReconnectNeeded(detail, code="missing_scope")


def _project_disabled() -> MeetbotError:
    detail = "the Google Calendar API is not enabled in the OAuth client's project: enable it"
    return InstallationFault(detail)


def _bad_push_address(reason: str) -> MeetbotError:
    detail = f"Google refuses our notification address ({reason}): it must be public https"
    return InstallationFault(detail, code="push_address_refused")
