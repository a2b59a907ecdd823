"""What ``doctor`` says of a fleet: whether our key opens it, and whether its reports can come."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from meetbot_calendar.commands import checks_fleet
from meetbot_calendar.commands.checks import Finding
from meetbot_calendar.settings import Secret, Settings
from tests.fixed_clock import FixedClock
from tests.gateways.fleet_stand import FLEETS, KEY, VENDORS, Stand, stand_of
from tests.loopback import listening, says


@pytest.fixture(params=FLEETS)
async def each(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    async with stand_of(request.param) as stand:
        yield stand


def settings_of(stand: Stand, **others: object) -> Settings:
    settings = Settings(
        fleet=stand.name,  # type: ignore[arg-type]
        fleet_url=f"{stand.site.url}/{stand.end}",
        fleet_api_key=Secret(KEY),
        fleet_callback_secret=Secret(stand.state.config.callback_secret),
        public_url="https://us.example",
    )
    return msgspec.structs.replace(settings, **others)


async def found(settings: Settings) -> list[Finding]:
    return await asyncio.to_thread(checks_fleet.fleet, settings, FixedClock())


async def test_a_fleet_that_takes_our_key_is_well_and_its_reports_have_an_address(
    each: Stand,
) -> None:
    key, reports = await found(settings_of(each))

    place = f"fleets/{each.name}/reports" if each.name in VENDORS else "bots/{bot_id}/status"
    assert (key.state, reports.state) == ("ok", "ok")
    assert f"https://us.example/v1/{place}" in reports.detail


@pytest.mark.parametrize("given", [None, Secret("another")])
async def test_a_key_that_is_missing_or_refused_is_broken_and_never_shown(
    each: Stand, given: Secret | None
) -> None:
    key, _ = await found(settings_of(each, fleet_api_key=given))

    assert key.state == "broken"
    assert "MEETBOT_FLEET_API_KEY" in key.remedy
    assert "another" not in f"{key}"


@pytest.mark.parametrize("secret", [None, Secret("whsec_!"), Secret("!")])
async def test_a_secret_that_is_missing_or_can_be_none_is_broken(
    each: Stand, secret: Secret | None
) -> None:
    _, reports = await found(settings_of(each, fleet_callback_secret=secret))

    any_text_will_do = secret is not None and each.name in ("meetstream", "vexa")
    assert reports.state == ("ok" if any_text_will_do else "broken")


async def test_a_fleet_of_another_address_or_make_is_broken_with_advice() -> None:
    async with stand_of("recall") as stand, listening(says(b"", 404)) as elsewhere:
        wrong, _ = await found(settings_of(stand, fleet_url=elsewhere.url))
        closed, _ = await found(settings_of(stand, fleet_url="http://127.0.0.1:1"))

    assert (wrong.state, closed.state) == ("broken", "broken")
    assert "https://us-west-2.recall.ai" in wrong.remedy
    assert "correct MEETBOT_FLEET_URL" in closed.remedy


async def test_a_fleet_that_is_busy_is_a_warning() -> None:
    async with stand_of("vexa") as stand, listening(says(b"", 429)) as busy:
        key, _ = await found(settings_of(stand, fleet_url=busy.url))

    assert key.state == "warning"


async def test_a_fleet_far_away_cannot_reach_this_machine_alone() -> None:
    async with stand_of("recall") as stand:
        settings = settings_of(stand, fleet_url="https://fleet.invalid", fleet_api_key=None)
        _, reports = await found(
            msgspec.structs.replace(settings, public_url="http://127.0.0.1:8000")
        )

    assert (reports.state, "MEETBOT_PUBLIC_URL" in reports.remedy) == ("warning", True)


async def test_no_fleet_is_a_warning() -> None:
    (finding,) = await found(Settings())

    assert (finding.name, finding.state) == ("fleet", "warning")
