"""Two who reach for the same row at the same instant: one has it, and the other knows."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from meetbot_calendar.calendars.model import Provider, Window
from meetbot_calendar.deliveries.model import MessageType
from meetbot_calendar.journeys import connect
from meetbot_calendar.journeys.connect import ConnectWish, hash_of
from meetbot_calendar.journeys.deliver import send_test
from meetbot_calendar.storage import (
    bot_leases,
    calendar_leases,
    calendars,
    consents,
    deliveries,
    messages,
    sealed_grants,
)
from meetbot_calendar.storage.messages import Draft
from tenants.identity import new_id
from tenants.storage.session import TenantSession
from tests.journeys.stage import ANN, Stage

MINUTE = timedelta(minutes=1)

Claim = Callable[[TenantSession], Awaitable[Any]]
Prepare = Callable[[Stage], Awaitable[Claim]]


class Undone(Exception):
    """The first of the two gives up."""


async def calendar(stage: Stage) -> Claim:
    await stage.connect(Provider.GOOGLE, ANN)
    (calendar_id,) = await stage.look("select id from calendars")
    now = stage.now

    async def claim(session: TenantSession) -> Any:
        return await calendar_leases.claim(session, calendar_id, now=now, until=now + MINUTE)

    return claim


async def consent(stage: Stage) -> Claim:
    wish = ConnectWish(provider=Provider.GOOGLE, customer_user_id="ann")
    link = await connect.begin(stage.services, stage.context, wish)
    state = link.url.partition("state=")[2].partition("&")[0]

    async def claim(session: TenantSession) -> Any:
        return await consents.claim(session, hash_of(state), stage.now)

    return claim


async def bot(stage: Stage) -> Claim:
    stage.hold_meeting(ANN, "Weekly", timedelta(hours=2))
    await stage.onboard(Provider.GOOGLE, ANN)
    (found,) = await stage.bots()
    now = found.join_at

    async def claim(session: TenantSession) -> Any:
        held = await bot_leases.hold(
            session,
            [found.id],
            lease_id=new_id("lea", now),
            now=now,
            grace=MINUTE,
            until=now + MINUTE,
            horizon=now,
        )
        return next(iter(held), None)

    return claim


async def push(stage: Stage) -> Claim:
    await stage.connect(Provider.GOOGLE, ANN)
    (calendar_id,) = await stage.look("select id from calendars")

    async def claim(session: TenantSession) -> Any:
        won = await calendars.claim_push(session, calendar_id, stage.now, stage.now + MINUTE)
        return won or None

    return claim


async def refresh(stage: Stage) -> Claim:
    await stage.connect(Provider.GOOGLE, ANN)
    (connection_id,) = await stage.look("select id from connections")
    until: datetime = stage.now + MINUTE

    async def claim(session: TenantSession) -> Any:
        row = await sealed_grants.read_grant(session, connection_id)
        assert row is not None
        if row.refreshing_until is not None:
            return None
        await sealed_grants.lease_refresh(session, connection_id, until)
        return row

    return claim


each = pytest.mark.parametrize(
    "prepare", [calendar, consent, bot, push, refresh], ids=lambda claim: claim.__name__
)


async def race(stage: Stage, claim: Claim, *, first_gives_up: bool) -> tuple[Any, Any]:
    """Let a second session claim while a first one has claimed and not yet committed."""
    database, tenant_id = stage.services.database, stage.context.tenant_id

    async def second() -> Any:
        async with database.tenant(tenant_id) as session:
            return await claim(session)

    with suppress(Undone):
        async with database.tenant(tenant_id) as session:
            first = await claim(session)
            waiting = asyncio.create_task(second())
            await asyncio.wait([waiting], timeout=0.1)
            was_waiting = not waiting.done()
            if first_gives_up:
                raise Undone
    assert was_waiting
    return first, await waiting


@each
async def test_of_two_claims_at_once_one_wins(stage: Stage, prepare: Prepare) -> None:
    claim = await prepare(stage)

    first, second = await race(stage, claim, first_gives_up=False)

    assert first is not None
    assert second is None


@each
async def test_a_claim_that_is_undone_lets_the_next_one_have_it(
    stage: Stage, prepare: Prepare
) -> None:
    claim = await prepare(stage)

    first, second = await race(stage, claim, first_gives_up=True)

    assert first is not None
    assert second is not None


async def test_a_lease_that_has_run_out_is_nobodys(stage: Stage) -> None:
    claim = await calendar(stage)
    tenant = stage.services.database.tenant
    async with tenant(stage.context.tenant_id) as session:
        slow = await claim(session)

    async with tenant(stage.context.tenant_id) as session:
        (calendar_id,) = [slow.calendar.id]
        later = stage.now + MINUTE
        quick = await calendar_leases.claim(session, calendar_id, now=later, until=later + MINUTE)
        ended = calendar_leases.Progress(
            cursor=None, window=Window(stage.now, later), complete_at=later, due_at=later
        )
        is_slow_still_there = await calendar_leases.finish(session, slow, ended)

    assert quick is not None
    assert not is_slow_still_there


async def test_two_who_post_to_one_endpoint_take_different_deliveries(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    for _ in range(3):
        await send_test(stage.services, stage.context, endpoint_id)
    now, database = stage.now, stage.services.database

    async def take(session: TenantSession) -> set[str]:
        until = now + MINUTE
        taken = await deliveries.claim(
            session, endpoint_id, most=2, lease_id=new_id("lea", now), now=now, until=until
        )
        return {parcel.delivery.id for parcel in taken}

    async with database.tenant(stage.context.tenant_id) as one:
        first = await take(one)
        async with database.tenant(stage.context.tenant_id) as other:
            second = await take(other)

    assert (len(first), len(second), first & second) == (2, 1, set())


async def test_what_is_told_of_one_bot_is_taken_one_after_the_other(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    now, database, tenant_id = stage.now, stage.services.database, stage.context.tenant_id
    told: list[tuple[MessageType, str]] = [
        ("bot.dispatched", "bot_a"), ("bot.joined", "bot_a"), ("bot.completed", "bot_b"),
    ]  # fmt: skip
    async with database.tenant(tenant_id) as session:
        drafts = [Draft(type=kind, body=b"{}", bot_id=bot_id) for kind, bot_id in told]
        await messages.write(session, now, drafts)

    async def take() -> set[str]:
        until = now + MINUTE
        async with database.tenant(tenant_id) as session:
            taken = await deliveries.claim(
                session, endpoint_id, most=8, lease_id=new_id("lea", now), now=now, until=until
            )
        return {parcel.delivery.type for parcel in taken}

    assert await take() == {"bot.dispatched", "bot.completed"}
    assert await take() == set()
