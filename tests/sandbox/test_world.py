"""The world itself: time that can be pushed, trouble that is used up, memory over a restart."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.app import create_app
from meetbot_calendar.sandbox.clock import WorldClock
from meetbot_calendar.sandbox.faults import ALWAYS, Faults
from meetbot_calendar.sandbox.world import World, load_world
from tests.sandbox.site import ANN, BOB, NOW, Reader, Site, StillClock, berlin, populate


async def test_a_push_wakes_who_waits_for_an_instant_that_it_reaches() -> None:
    clock = WorldClock(StillClock())
    waiting = asyncio.ensure_future(clock.sleep_until(NOW + timedelta(hours=1)))
    await asyncio.sleep(0)

    clock.advance(timedelta(minutes=59))
    await asyncio.sleep(0)
    early = waiting.done()
    clock.advance(timedelta(minutes=1))
    await waiting

    assert early is False
    assert clock.now() == NOW + timedelta(hours=1)


def test_time_never_runs_back() -> None:
    with pytest.raises(ValueError, match="forward"):
        WorldClock(StillClock()).advance(timedelta(seconds=-1))


def test_a_fault_is_used_up_as_often_as_it_was_ordered() -> None:
    faults = Faults([])
    faults.add("google.token", "429", times=2)

    taken = [faults.take("google.token") is not None for _ in range(3)]

    assert taken == [True, True, False]


def test_a_fault_reaches_what_lies_beneath_its_target_and_nothing_else() -> None:
    faults = Faults([])
    faults.add("google", "429", times=ALWAYS)

    found = [
        faults.take(target) is not None
        for target in ("google", "google.events", "googles.events", "microsoft.token")
    ]

    assert found == [True, True, False, False]


def test_a_fault_is_taken_by_kind_and_by_person() -> None:
    faults = Faults([])
    faults.add("google.events", "410", account=ANN)

    assert faults.take("google.events", "429", account=ANN) is None
    assert faults.take("google.events", "410", account=BOB) is None
    assert faults.take("google.events", "410", account=ANN) is not None


def test_trouble_can_be_called_off_by_target() -> None:
    faults = Faults([])
    faults.add("google.events", "429")
    faults.add("microsoft.token", "429")

    faults.clear("google")

    assert [fault.target for fault in faults.standing] == ["microsoft.token"]
    faults.clear()
    assert faults.standing == []


async def test_a_restarted_sandbox_remembers_everything(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    world = World(StillClock())
    populate(world)
    made = world.add_meeting(ANN, "Plan", berlin(23, 10), berlin(23, 11), "Europe/Berlin")
    async with httpx.AsyncClient(  # noqa: TID251 - the test's own end
        transport=httpx.ASGITransport(create_app(world, file)), base_url="http://127.0.0.1"
    ) as http:
        before = await Site(world=world, http=http).reader()
        sync = (await before.events())["nextSyncToken"]
        await http.post("/sandbox/clock/advance", json={"seconds": 300})
        await http.post("/sandbox/faults", json={"target": "google.watch", "kind": "429"})

    again = load_world(file, StillClock())
    async with httpx.AsyncClient(  # noqa: TID251 - the test's own end
        transport=httpx.ASGITransport(create_app(again, file)), base_url="http://127.0.0.1"
    ) as http:
        after = Reader(site=Site(world=again, http=http), token=before.token)
        edits.cancel(again, made.id)
        delta = await after.events(syncToken=sync)

    assert [(item["id"], item["status"]) for item in delta["items"]] == [(made.id, "cancelled")]
    assert again.clock.now() == NOW + timedelta(minutes=5)
    assert [fault.kind for fault in again.faults.standing] == ["429"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_world_without_a_file_is_new(tmp_path: Path) -> None:
    world = load_world(tmp_path / "none.json", StillClock())

    assert world.state.accounts == {}


def test_an_account_is_added_once_and_keeps_its_subject(world: World) -> None:
    first = world.directory.add_account("google", ANN, "Ann")
    again = world.directory.add_account("google", ANN.upper(), "Anna")
    other = World(StillClock()).directory.add_account("google", ANN)

    assert again is first
    assert first.subject == other.subject
    assert len(first.subject) == 21


def test_one_address_may_live_at_both_providers(world: World) -> None:
    google = world.directory.add_account("google", ANN)
    outlook = world.directory.add_account("outlook", ANN)

    assert world.directory.accounts_of(ANN) == [google, outlook]
    assert google.subject != outlook.subject
    assert outlook.tenant_id


def test_a_deleted_calendar_leaves_every_list(world: World) -> None:
    ann = world.directory.add_account("google", ANN)
    bob = world.directory.add_account("google", BOB)
    team = world.directory.add_calendar(bob, "Team")
    world.directory.share(team, ann, "writer")

    world.directory.remove_calendar(team)

    assert world.directory.calendar(team.id) is None
    assert [entry.calendar for entry in world.directory.entries(ann)] == [ANN]
    assert [entry.calendar for entry in world.directory.entries(bob)] == [BOB]
