"""What Google tells about a person, in both of its shapes (providers.md 1.1)."""

from typing import Any

from meetbot_calendar.sandbox.store import Account

_AUTH = "https://www.googleapis.com/auth/userinfo."
_CONSUMER = "gmail.com"


def claims(account: Account, scopes: list[str]) -> dict[str, Any]:
    """Return the OpenID Connect shape, as far as the scopes allow: ``sub``, ``email``, ..."""
    found: dict[str, Any] = {"sub": account.subject}
    if _AUTH + "email" in scopes:
        found |= {"email": account.email, "email_verified": True}
        domain = account.email.partition("@")[2]
        if domain != _CONSUMER:
            found["hd"] = domain
    if _AUTH + "profile" in scopes:
        found |= {"name": account.name, "picture": "https://lh3.example.com/a/default=s96-c"}
    return found


def v2_shape(found: dict[str, Any]) -> dict[str, Any]:
    """Return the oauth2/v2 shape, which says ``id`` and ``verified_email``."""
    renamed = {"sub": "id", "email_verified": "verified_email"}
    return {renamed.get(name, name): value for name, value in found.items()}
