"""Adopting a grant with its own client: killed anywhere it is finished by asking again."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

from meetbot_calendar.calendars.model import OAuthApp, Provider
from meetbot_calendar.journeys import credentials, sweep
from meetbot_calendar.journeys.credentials import Credentials
from meetbot_calendar.journeys.services import Services
from tests.gateways.far_ends import allowed
from tests.journeys.killing import Fuse, Killed, mortal
from tests.journeys.stage import BOB, Stage, set_stage
from tests.journeys.surroundings import app_at
from tests.journeys.test_watching import watches

LEASES = timedelta(minutes=6)


async def given(stage: Stage) -> Credentials:
    """What a person brings who consented to a client of their own."""
    app = app_at(stage.world, stage.product_url, Provider.OUTLOOK, "own")
    return Credentials(app=app, refresh_token=await refresh_token(stage, app))


async def refresh_token(stage: Stage, app: OAuthApp) -> str:
    port = stage.services.providers[app.provider]
    back = f"{stage.product_url}/v1/calendar/oauth/callback/{app.provider}"
    consent = await port.consent(app, redirect_uri=back, state="s", login_hint=None)
    answer = await allowed(stage.transport, consent.url, email=BOB)
    gave = await port.exchange(
        app, redirect_uri=back, memory=consent.memory, answer=answer, now=stage.now
    )
    return gave.grant.refresh_token


async def adopt(stage: Stage, services: Services, posted: Credentials) -> None:
    await credentials.adopt(services, stage.context, "bob", posted, replace=True)


async def test_killed_anywhere_it_is_finished_by_asking_again(
    emptied: Callable[[], str], tmp_path: Path
) -> None:
    for at in count(1):
        async with set_stage(emptied(), tmp_path / str(at)) as stage:
            posted = await given(stage)
            fuse = Fuse(at)
            try:
                await adopt(stage, mortal(stage.services, fuse), posted)
            except Killed:
                await adopt(stage, stage.services, posted)
            for _ in range(2):
                await stage.pass_time(LEASES)
            assert await stage.look("select status, client_id from connections") == [
                ("active", "own")
            ]
            assert await stage.look("select error_code, push from calendars") == [(None, "active")]
            assert len(watches(stage)) == 1, fuse.effects
        if len(fuse.effects) < at:
            break
    assert at == 8


async def test_the_worker_leaves_watching_to_who_connects_and_does_it_if_that_one_dies(
    stage: Stage,
) -> None:
    posted = await given(stage)
    try:
        await adopt(stage, mortal(stage.services, Fuse(3)), posted)  # no further than the rows
    except Killed:
        at_once = {work.kind for work in await sweep.due(stage.services, 100)}

    await stage.settle()
    before = watches(stage)
    await stage.pass_time(timedelta(minutes=2))

    assert ("watch" in at_once, before) == (False, [])
    assert "watch" not in {kind for kind, _ in stage.rings.heard}
    assert len(watches(stage)) == 1
