"""What can go wrong, grouped by what to do about it.

MeetbotError
├── Refused            the request or the state forbids it; changing nothing was right
│   ├── Invalid        … and these places in the body are why
│   ├── Conflict       … because something else already stands there
│   └── LimitReached   … because there are too many
├── Unauthenticated    who asks is not known
├── Missing            there is no such thing (for this caller)
├── AccessExpired      the access token is refused: refresh once, then try once more
├── ReconnectNeeded    only the person can mend it, by consenting again
├── InstallationFault  only the operator can mend it
├── CursorExpired      read everything again
├── CalendarGone       the provider no longer shows this calendar
├── PushUnsupported    this calendar can only be polled
├── TryLater           it may work later, perhaps at a stated time
│   ├── OutcomeUnknown … but it may also have happened already
│   └── TooOften       … for it was asked too often
├── GiveUp             it will never work
└── Tampered           a signature, a secret or a sealed byte is not ours
"""

from datetime import timedelta

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One place in a body that is wrong; ``pointer`` is a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


class MeetbotError(Exception):
    """The root. ``code`` is stable and public; ``detail`` is a sentence that says what to do."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code


class Refused(MeetbotError):
    """The request or the state forbids it."""

    code = "refused"


class Invalid(Refused):
    """Places in the body are wrong."""

    code = "invalid"

    def __init__(
        self, detail: str, faults: tuple[Fault, ...] = (), *, code: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.faults = faults


class Conflict(Refused):
    """Something else already stands there; ``existing`` names it."""

    code = "conflict"

    def __init__(self, detail: str, *, code: str | None = None, **existing: str) -> None:
        super().__init__(detail, code=code)
        self.existing = existing


class LimitReached(Refused):
    """There are as many as there may be."""

    code = "limit_reached"


class Unauthenticated(MeetbotError):
    """Who asks is not known."""

    code = "unauthenticated"


class Missing(MeetbotError):
    """There is no such thing, or it is not the caller's to see."""

    code = "not_found"


class AccessExpired(MeetbotError):
    """The provider refuses the access token: refresh it once, then try once more."""

    code = "access_expired"


class ReconnectNeeded(MeetbotError):
    """Only the person can mend it, by consenting again."""

    code = "needs_reauth"


class InstallationFault(MeetbotError):
    """Only the operator can mend it: a wrong client secret, a disabled app, a refused fleet key."""

    code = "installation_fault"


class CursorExpired(MeetbotError):
    """The provider no longer knows the sync cursor: list everything again."""

    code = "cursor_expired"


class CalendarGone(MeetbotError):
    """The provider no longer shows this calendar to this account."""

    code = "calendar_gone"


class PushUnsupported(MeetbotError):
    """The provider will never push for this calendar: poll it."""

    code = "push_unsupported"


class TryLater(MeetbotError):
    """It may work later: after ``after``, where the other side said when."""

    code = "try_later"

    def __init__(
        self, detail: str, *, after: timedelta | None = None, code: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.after = after


class WatchStands(TryLater):
    """The provider lets one watch stand, and one does: named here, with where its notices go."""

    code = "watch_stands"

    def __init__(self, detail: str, *, platform_watch_id: str, address: str) -> None:
        super().__init__(detail)
        self.platform_watch_id = platform_watch_id
        self.address = address


class OutcomeUnknown(TryLater):
    """The request left, the answer never came: ask before doing it again."""

    code = "outcome_unknown"


class TooOften(TryLater):
    """Somebody asked more often than they may."""

    code = "too_many_requests"


class GiveUp(MeetbotError):
    """It will never work as asked: a bad meeting link, a malformed request of ours."""

    code = "give_up"


class Tampered(MeetbotError):
    """A signature, a secret or a sealed byte is not ours."""

    code = "tampered"
