"""What ``up --demo`` adds: the sandbox, and the settings by which the product reaches it."""

import secrets
from base64 import b64encode
from collections.abc import Mapping

from meetbot_calendar.commands.child import Child
from meetbot_calendar.commands.extras import Extras, say_ready
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.settings import Settings

_USUAL_PORT = 8010


def demo_extras(settings: Settings) -> Extras:
    """Choose the sandbox's port and secrets; the sandbox and the product get the same ones."""
    port = free_port(_USUAL_PORT)
    changes = sandbox_changes(f"http://127.0.0.1:{port}")
    logs = settings.data_dir / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    sandbox = Child(
        name="sandbox",
        words=("sandbox", "--port", str(port)),
        changes=changes,
        ready_url=f"http://127.0.0.1:{port}",
        log=logs / "sandbox.log",
    )
    return Extras(beside=say_ready, first=(sandbox,), changes=changes, logs=logs)


def sandbox_changes(sandbox: str) -> Mapping[str, str]:
    """Return the settings that point at a sandbox: the product knows no others for it."""
    return {
        "MEETBOT_GOOGLE_CLIENT_ID": "demo.apps.example",
        "MEETBOT_GOOGLE_CLIENT_SECRET": secrets.token_urlsafe(24),
        "MEETBOT_GOOGLE_AUTH_URL": f"{sandbox}/google/o/oauth2/v2/auth",
        "MEETBOT_GOOGLE_TOKEN_URL": f"{sandbox}/google/token",
        "MEETBOT_GOOGLE_REVOKE_URL": f"{sandbox}/google/revoke",
        "MEETBOT_GOOGLE_USERINFO_URL": f"{sandbox}/google/v1/userinfo",
        "MEETBOT_GOOGLE_API_URL": f"{sandbox}/google/calendar/v3",
        "MEETBOT_MICROSOFT_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
        "MEETBOT_MICROSOFT_CLIENT_SECRET": secrets.token_urlsafe(24),
        "MEETBOT_MICROSOFT_AUTHORITY": f"{sandbox}/microsoft/common",
        "MEETBOT_GRAPH_URL": f"{sandbox}/microsoft/v1.0",
        "MEETBOT_FLEET": "meetbot",
        "MEETBOT_FLEET_URL": f"{sandbox}/fleet",
        "MEETBOT_FLEET_API_KEY": secrets.token_urlsafe(24),
        "MEETBOT_FLEET_CALLBACK_SECRET": "whsec_" + b64encode(secrets.token_bytes(24)).decode(),
        "MEETBOT_ALLOW_PRIVATE_WEBHOOKS": "1",
    }
