"""What may be asked of a person: OpenID's words, and permissions of one resource, Graph."""

from meetbot_calendar.sandbox.microsoft.entra_codes import EntraRefusal

GRAPH = "https://graph.microsoft.com/"
OPENID = ("openid", "profile", "email", "offline_access")
WORDS = {
    "User.Read": "Sign you in and read your profile",
    "Calendars.Read": "Read your calendars",
    "Calendars.Read.Shared": "Read calendars you can access",
    "Calendars.ReadBasic": "Read basic details of your calendars",
    "Calendars.ReadWrite": "Have full access to your calendars",
    "Calendars.ReadWrite.Shared": "Read and write to your and shared calendars",
    "MailboxSettings.Read": "Read your mailbox settings",
    "User.ReadBasic.All": "Read all users' basic profiles",
    "offline_access": "Maintain access to data you have given it access to",
    "openid": "Sign you in",
    "profile": "View your basic profile",
    "email": "View your email address",
}


def normalised(scope: str) -> list[str]:
    """Return the short names of a ``scope`` parameter, each once.

    Raises 28000 when it names two resources, 70011 for what nobody offers.
    """
    names = [name.removeprefix(GRAPH) for name in scope.split()]
    if any("://" in name for name in names):
        raise EntraRefusal(28000 if len(names) > 1 else 70011)
    found = {_spelt(name): None for name in names}
    return list(found)


def granted(scopes: list[str]) -> str:
    """Return the ``scope`` of a token answer: the resource's permissions by their long names."""
    return " ".join(GRAPH + name for name in scopes if name not in OPENID)


def _spelt(name: str) -> str:
    spelling = {known.lower(): known for known in WORDS}
    if name.lower() not in spelling:
        raise EntraRefusal(70011)
    return spelling[name.lower()]
