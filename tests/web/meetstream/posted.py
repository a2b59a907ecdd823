"""A consent held elsewhere, as a MeetStream client brings it: its own OAuth client, and a token."""

from meetbot_calendar.calendars.model import Grant, OAuthApp, Provider
from meetbot_calendar.calendars.provider import CalendarProvider
from meetbot_calendar.gateways.google.oauth import HELPER_SCOPES
from meetbot_calendar.gateways.microsoft.oauth import REQUIRED
from meetbot_calendar.sandbox.grants import Client
from tests.gateways.far_ends import allowed
from tests.journeys.stage import ANN, BOB
from tests.journeys.surroundings import providers_at
from tests.web.house import Json
from tests.web.staged import Staged

_BACK = "http://127.0.0.1:3000/callback"
_NAMES = {Provider.GOOGLE: "google", Provider.OUTLOOK: "microsoft"}
ACCOUNTS = [(Provider.GOOGLE, ANN), (Provider.OUTLOOK, BOB)]


async def credentials(
    staged: Staged, provider: Provider, email: str, client_id: str = "own-client", **form: str
) -> Json:
    """Let a person consent to a client of the caller's own; return what to post."""
    app = OAuthApp(provider=provider, client_id=client_id, client_secret="own-secret")
    staged.stage.world.grants.register(
        Client(
            provider=provider.value, id=client_id, secret=app.client_secret, redirect_uris=[_BACK]
        )
    )
    grant = await _consented(staged, app, email, form)
    name = _NAMES[provider]
    return {
        f"{name}_client_id": client_id,
        f"{name}_client_secret": app.client_secret,
        f"{name}_refresh_token": grant.refresh_token,
    }


async def _consented(staged: Staged, app: OAuthApp, email: str, form: dict[str, str]) -> Grant:
    port = helpers(staged)[app.provider]
    consent = await port.consent(app, redirect_uri=_BACK, state="s", login_hint=None)
    answer = await allowed(staged.stage.transport, consent.url, email=email, **form)
    back = await port.exchange(
        app, redirect_uri=_BACK, memory=consent.memory, answer=answer, now=staged.stage.now
    )
    return back.grant


def helpers(staged: Staged) -> dict[Provider, CalendarProvider]:
    """Return the providers as the command ``oauth-helper`` asks for consents."""
    stage = staged.stage
    return providers_at(
        stage.transport, stage.sandbox_url, google=HELPER_SCOPES, microsoft=REQUIRED
    )
