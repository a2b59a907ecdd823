"""``oauth-helper``: the real command, clicked through as a browser would."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.gateways.transport import Answer, Transport, open_transport
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.settings import child_environment
from tests.gateways.far_ends import ANN, Site, allowed, standing
from tests.journeys.surroundings import plainly

NAMES = {Provider.GOOGLE: "google", Provider.OUTLOOK: "microsoft"}
SCOPES = {
    Provider.GOOGLE: {
        "https://www.googleapis.com/auth/calendar.events.readonly",
        "https://www.googleapis.com/auth/calendar.readonly",
        "https://www.googleapis.com/auth/userinfo.email",
        "https://www.googleapis.com/auth/userinfo.profile",
    },
    Provider.OUTLOOK: {"Calendars.Read", "User.Read", "offline_access", "openid", "profile"},
}
both = pytest.mark.parametrize("provider", list(Provider))


def settings_of(site: Site) -> dict[str, str]:
    return {
        "MEETBOT_GOOGLE_AUTH_URL": f"{site.url}/google/o/oauth2/v2/auth",
        "MEETBOT_GOOGLE_TOKEN_URL": f"{site.url}/google/token",
        "MEETBOT_GOOGLE_USERINFO_URL": f"{site.url}/google/v1/userinfo",
        "MEETBOT_MICROSOFT_AUTHORITY": f"{site.url}/microsoft/common",
        "MEETBOT_GRAPH_URL": f"{site.url}/microsoft/graph/v1.0",
    }


async def typed(site: Site, folder: Path, *words: str) -> Process:
    """Type the command in a folder whose ``.env`` is what the guides say."""
    lines = "{0}_CLIENT_ID=my-client\n{0}_CLIENT_SECRET=my-secret\n"
    (folder / ".env").write_text(lines.format("GOOGLE") + lines.format("MICROSOFT"))
    command = [sys.executable, "-P", "-m", "meetbot_calendar", "oauth-helper", *words]
    return await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=child_environment(settings_of(site)), stdout=PIPE, stderr=STDOUT
    )


def register(site: Site, provider: Provider, port: int) -> str:
    """Register the guides' address with the provider; return its path."""
    callback = f"/api/{NAMES[provider]}/oauth-callback"
    site.world.grants.register(
        Client(
            provider=provider.value,
            id="my-client",
            secret="my-secret",
            redirect_uris=[f"http://localhost:{port}{callback}"],
        )
    )
    return callback


async def opened(transport: Transport, process: Process, port: int) -> Answer:
    """Open the address that the command has printed, as soon as somebody listens there."""
    assert process.stdout is not None
    invited = (await process.stdout.readline()).decode()
    assert invited == f"Open http://localhost:{port} to start the OAuth flow\n"
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            continue
        writer.close()
        return await transport.request("GET", f"http://127.0.0.1:{port}/")
    raise AssertionError((await process.stdout.read()).decode())


@both
async def test_the_helper_prints_a_refresh_token_that_works(
    provider: Provider, tmp_path: Path, unused_tcp_port: int
) -> None:
    port = unused_tcp_port
    async with standing(provider) as site, open_transport(plainly()) as transport:
        callback = register(site, provider, port)
        process = await typed(site, tmp_path, NAMES[provider], "--port", str(port), "--no-browser")
        consent = (await opened(transport, process, port)).headers["location"]
        answer = await allowed(transport, consent)
        back = f"http://127.0.0.1:{port}{callback}"
        forged = await transport.request("GET", back, params=answer | {"state": "made-up"})
        page = await transport.request("GET", back, params=answer)
        said = (await process.communicate())[0].decode()

        (told,) = re.findall(r"^Refresh Token: (\S+)$", said, re.MULTILINE)
        found = site.world.grants.live_refresh(told, site.world.clock.now())
    assert found is not None
    assert set(found[1].scopes) == SCOPES[provider]
    assert "code_challenge=" in consent
    assert (forged.status, page.status, process.returncode) == (400, 200, 0)
    assert f"<pre>{told}</pre>" in page.body.decode()
    assert f"Redirect URI: http://localhost:{port}{callback}" in said
    assert f"Account: {ANN}" in said
    assert "my-secret" not in said


async def test_a_refused_consent_is_told_and_may_be_tried_again(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    port = unused_tcp_port
    async with standing(Provider.GOOGLE) as site, open_transport(plainly()) as transport:
        callback = register(site, Provider.GOOGLE, port)
        process = await typed(site, tmp_path, "google", "--port", str(port), "--no-browser")
        consent = (await opened(transport, process, port)).headers["location"]
        denied = await allowed(transport, consent, decision="deny")
        back = f"http://127.0.0.1:{port}{callback}"
        page = await transport.request("GET", back, params=denied)
        again = await transport.request("GET", f"http://127.0.0.1:{port}/")
        process.terminate()
        said = (await process.communicate())[0].decode()

    assert (page.status, again.status, process.returncode) == (400, 302, 130)
    assert "access_denied" in page.body.decode()
    assert "TOKENS" not in said


async def test_without_a_client_it_says_where_to_put_one(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "meetbot_calendar", "oauth-helper", "google"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=child_environment({}), stdout=PIPE, stderr=STDOUT
    )

    said = (await process.communicate())[0].decode()

    assert process.returncode == 2
    assert "GOOGLE_CLIENT_ID" in said
