"""Google's scope names: how they are printed, and which a person may untick."""

_AUTH = "https://www.googleapis.com/auth/"
_LONG = {"email": _AUTH + "userinfo.email", "profile": _AUTH + "userinfo.profile"}
SIGN_IN = frozenset(("openid", *_LONG.values()))

_WORDS = {
    "calendar": "See, edit, share and permanently delete all the calendars you can access",
    "calendar.readonly": "See and download any calendar you can access",
    "calendar.events": "View and edit events on all your calendars",
    "calendar.events.readonly": "View events on all your calendars",
    "calendar.calendarlist.readonly": "See the list of Google calendars you are subscribed to",
}


def normalised(scope: str) -> list[str]:
    """Split a scope parameter, with short names written out as Google answers them."""
    return list(dict.fromkeys(_LONG.get(name, name) for name in scope.split()))


def tickable(scopes: list[str]) -> list[str]:
    """Return the scopes that the consent page shows with a box to tick."""
    return [scope for scope in scopes if scope not in SIGN_IN]


def words(scope: str) -> str:
    """Say what a scope allows."""
    return _WORDS.get(scope.removeprefix(_AUTH), scope.removeprefix(_AUTH))
