"""Refuses to start where another program already listens, and names it."""

from meetbot_calendar.embedded.ports import holder, is_free
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.settings import Settings


def require_free_port(settings: Settings) -> None:
    """Raise ``CannotStart`` when the port that we shall listen on is taken."""
    if not is_free(settings.host, settings.port):
        cause = f"port {settings.port} on {settings.host} is taken by {holder(settings.port)}"
        raise CannotStart(cause, "set MEETBOT_PORT to a free port, or end that program")


def own_url(settings: Settings) -> str:
    """Return where this machine reaches us: the wildcard addresses are no destinations."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
