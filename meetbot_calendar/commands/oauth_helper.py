"""``oauth-helper google|microsoft``: run a consent here, and print its refresh token."""

import asyncio
import sys
import webbrowser
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec

from meetbot_calendar.calendars.model import OAuthApp, Provider
from meetbot_calendar.calendars.provider import ConsentReturn
from meetbot_calendar.clock import SystemClock
from meetbot_calendar.commands.consent_site import ConsentSite
from meetbot_calendar.commands.interrupt import run_until_signal
from meetbot_calendar.commands.serve import serve
from meetbot_calendar.dotenv import dotenv
from meetbot_calendar.embedded.ports import holder, is_free
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.settings import Settings, child_environment
from meetbot_calendar.wiring import open_helpers

_HOST = "127.0.0.1"
_PORT = 3000
_INTERRUPTED = 130
_WHERE = {
    "google": "Google Cloud Console → Credentials → OAuth 2.0 Client → Authorized redirect URIs",
    "microsoft": "Azure Portal → App registrations → Authentication → Redirect URIs",
}


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """The OAuth client that a consent is for, and how its provider is called here."""

    name: str
    app: OAuthApp
    port: int

    @property
    def callback(self) -> str:
        """Return the path to come back to, as MeetStream's guides have it registered."""
        return f"/api/{self.name}/oauth-callback"

    @property
    def redirect_uri(self) -> str:
        """Return the address to register with the provider."""
        return f"http://localhost:{self.port}{self.callback}"


def arguments(parser: ArgumentParser) -> None:
    """Declare the provider, and where to listen."""
    parser.add_argument("provider", choices=["google", "microsoft", "outlook"])
    parser.add_argument("--port", type=int, default=_PORT, help=f"where to listen ({_PORT})")
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, and open nothing"
    )


def main(settings: Settings, given: Namespace) -> int:
    """Serve until a consent was given, then print what it gave."""
    client = client_of(settings, given)
    if not is_free(_HOST, client.port):
        cause = f"port {client.port} is taken by {holder(client.port)}"
        raise CannotStart(cause, "end that program, or give --port and register that address")
    return run_until_signal(lambda stop: _help(settings, client, stop, given))


def client_of(settings: Settings, given: Namespace) -> Client:
    """Find the OAuth client: the one that the guides have put into ``.env``, or else ours."""
    name = "microsoft" if given.provider == "outlook" else given.provider
    app = _guides(name) or _ours(settings, name)
    if app is None:
        word = name.upper()
        raise CannotStart(
            f"no OAuth client of {name} is set",
            f"put {word}_CLIENT_ID and {word}_CLIENT_SECRET into .env, or set"
            f" MEETBOT_{word}_CLIENT_ID and MEETBOT_{word}_CLIENT_SECRET",
        )
    return Client(name=name, app=app, port=given.port)


def _ours(settings: Settings, name: str) -> OAuthApp | None:
    client_id, secret = settings.google_client_id, settings.google_client_secret
    if name == "microsoft":
        client_id, secret = settings.microsoft_client_id, settings.microsoft_client_secret
    if client_id is None or secret is None:
        return None
    return _app(name, client_id, secret.reveal())


def _guides(name: str) -> OAuthApp | None:
    """Read ``GOOGLE_CLIENT_ID`` and the like, as MeetStream's own helper does."""
    given = {**dotenv(Path.cwd() / ".env", []), **child_environment({})}
    client_id = given.get(f"{name.upper()}_CLIENT_ID", "").strip()
    secret = given.get(f"{name.upper()}_CLIENT_SECRET", "").strip()
    return _app(name, client_id, secret) if client_id and secret else None


def _app(name: str, client_id: str, client_secret: str) -> OAuthApp:
    provider = Provider.OUTLOOK if name == "microsoft" else Provider.GOOGLE
    return OAuthApp(provider=provider, client_id=client_id, client_secret=client_secret)


async def _help(settings: Settings, client: Client, stop: asyncio.Event, given: Namespace) -> int:
    async with open_helpers(settings) as providers:
        site = ConsentSite(
            provider=providers[client.app.provider],
            app=client.app,
            redirect_uri=client.redirect_uri,
            clock=SystemClock(),
            done=asyncio.get_running_loop().create_future(),
        )
        site.done.add_done_callback(lambda _: stop.set())
        _say(_invitation(client))
        if not given.no_browser:
            _open(f"http://localhost:{client.port}")
        await serve(site.pages(client.callback), _HOST, client.port, stop)
        if not site.done.done():
            return _INTERRUPTED
        _say(_tokens(client, site.done.result()))
    return 0


def _invitation(client: Client) -> str:
    return (
        f"Open http://localhost:{client.port} to start the OAuth flow\n"
        f"Redirect URI: {client.redirect_uri}\n\n"
        f"Make sure this redirect URI is added in {_WHERE[client.name]}\n"
    )


def _tokens(client: Client, gave: ConsentReturn) -> str:
    grant = gave.grant
    return (
        f"\n=== TOKENS ===\nAccount: {gave.account.email}\n"
        f"Refresh Token: {grant.refresh_token}\n"
        f"Access Token: {grant.access_token}\n"
        f"Expiry: {grant.expires_at.isoformat()}\n\n"
        "Connect the account with POST /v1/calendar/create_calendar: send"
        f" {client.name}_client_id, {client.name}_client_secret and {client.name}_refresh_token.\n"
    )


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _open(address: str) -> None:
    """Open a window, where there is a screen: a browser for terminals would take this one."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is not webbrowser.GenericBrowser:
        browser.open(address)
