"""A fresh world for each test, reached in this process; and one behind a real socket."""

from collections.abc import AsyncIterator, Iterator

import pytest

from meetbot_calendar.sandbox.world import World
from tests.sandbox.live import Live, serving
from tests.sandbox.outlook import Tenant, settle_in
from tests.sandbox.site import Site, StillClock, entering, populate


@pytest.fixture
def world() -> World:
    return World(StillClock())


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:
    async with entering(world) as found:
        yield found


@pytest.fixture
def live() -> Iterator[Live]:
    world = World(StillClock())
    with serving(world) as found:
        populate(world)
        yield found


@pytest.fixture
def contoso(site: Site) -> Tenant:
    settle_in(site.world)
    return Tenant(world=site.world, http=site.http)
