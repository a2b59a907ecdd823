"""For whom a request acts: the person it names, its key's own, or the tenant's only one."""

from pathlib import Path

import pytest

from meetbot_calendar.errors import Missing, Refused
from meetbot_calendar.journeys.acting import acting, named
from tenants.identity import CalendarUserId, TenantContext, TenantId
from tenants.storage import users
from tests.web.house import OpenHouse, open_house

NOBODY = CalendarUserId("mcu_nobody")


async def _people(house: OpenHouse, *names: str) -> tuple[TenantContext, list[CalendarUserId]]:
    tenant, _ = await house.tenant()
    context = TenantContext(tenant_id=TenantId(tenant["id"]))
    async with house.services.database.tenant(context.tenant_id) as session:
        made = [(await users.ensure(session, name, house.clock.now()))[0].id for name in names]
    return context, made


async def test_the_only_person_need_not_be_named(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path) as house:
        context, (ann,) = await _people(house, "ann")

        assert await acting(house.services, context, None, None) == ann


async def test_where_there_is_nobody_yet_nobody_acts(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path) as house:
        context, _ = await _people(house)

        assert await acting(house.services, context, None, None) is None


async def test_of_several_one_must_be_named(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path) as house:
        context, (ann, bob) = await _people(house, "ann", "bob")

        with pytest.raises(Refused) as refusal:
            await acting(house.services, context, None, None)

        assert refusal.value.code == "user_not_named"
        assert await acting(house.services, context, bob, None) == bob
        assert await acting(house.services, context, None, "ann") == ann
        assert await acting(house.services, context, ann, "ann") == ann


async def test_a_bound_key_acts_for_its_person_and_for_nobody_else(
    database_url: str, tmp_path: Path
) -> None:
    async with open_house(database_url, tmp_path) as house:
        context, (ann, bob) = await _people(house, "ann", "bob")
        bound = TenantContext(tenant_id=context.tenant_id, user_id=ann)

        assert await acting(house.services, bound, None, None) == ann
        for user_id, customer_user_id in ((bob, None), (None, "bob"), (NOBODY, None)):
            with pytest.raises(Missing):
                await named(house.services, bound, user_id, customer_user_id)
