"""A key service that is sealed, forbids, is slow or gone: work goes on, pauses, and resumes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import TryLater
from meetbot_calendar.journeys import connect, errands, live, tenants
from meetbot_calendar.journeys.outages import KEYS_AWAY, KeyServiceDown, KeyServiceRefused
from meetbot_calendar.journeys.scope import Scope
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.probes import probes_of
from meetbot_calendar.storage import errands as rows
from meetbot_calendar.worker.tasks import perform
from tenants.identity import TenantContext
from tests.gateways.far_ends import allowed
from tests.journeys.stage import ANN, Stage, set_stage
from tests.vault.double import ROOT_TOKEN, Vault, running_vault
from tests.vault.hands import in_hands
from tests.vault.set_up import set_up

LIFETIME = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def vaulted(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Stage, Vault]]:
    with running_vault() as vault:
        ready = set_up(vault.url, ROOT_TOKEN)
        async with in_hands(ready, time_limit=0.2) as hands:
            keys = (hands.api, hands.worker)
            async with set_stage(database_url, tmp_path, keys=keys) as stage:
                yield stage, vault


class Hasty:
    """A clock whose waits push the world's."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    async def sleep_until(self, instant: datetime) -> None:
        self._clock.advance(instant - self.now() + timedelta(seconds=20))

    def patience(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)


def trouble(vault: Vault, kind: str) -> None:
    vault.is_sealed = kind == "sealed"
    vault.fails_with = 500 if kind == "broken" else None
    vault.answers_after = 0.4 if kind == "slow" else 0.0
    if kind == "forbidding":
        vault.policies["meetbot-worker"] = vault.policies["meetbot-api"] = ()


async def work(stage: Stage) -> int:
    """Do what is due once, as the worker does; returns how much was due."""
    due = await stage._due()
    for kind, tenant_id, row_id in due:
        await perform(stage.services, kind, tenant_id, row_id)
    return len(due)


@pytest.mark.parametrize("kind", ["sealed", "broken", "slow", "forbidding"])
async def test_work_goes_on_while_keys_are_at_hand_then_pauses_then_resumes(
    vaulted: tuple[Stage, Vault], kind: str
) -> None:
    stage, vault = vaulted
    await stage.onboard(Provider.GOOGLE, ANN)
    await stage.pass_time(4 * MINUTE)
    policies = dict(vault.policies)
    stage.services.keyring.expire(stage.now + LIFETIME)
    stage.hold_meeting(ANN, "Before", timedelta(hours=1))
    await stage.settle()  # every key is at hand for five minutes from here

    trouble(vault, kind)
    stage.hold_meeting(ANN, "While keys last", timedelta(hours=2))
    await stage.hear()
    await work(stage)
    seen = await stage.titles()
    stage.world.clock.advance(LIFETIME)
    stage.hold_meeting(ANN, "Later", timedelta(hours=3))
    vault.asked.clear()
    for _ in range(20):
        assert await work(stage) > 0
    asked = len(vault.asked)
    trouble(vault, "none")
    vault.policies.update(policies)
    stage.world.clock.advance(timedelta(seconds=20))
    await stage.settle()

    assert seen == ["Before", "While keys last"]
    assert asked <= 8  # a try, its second login, and so for each purpose: no storm
    assert await stage.titles() == ["Before", "While keys last", "Later"]
    assert await stage.look("select status, error_code from connections") == [("active", None)]
    assert await stage.look("select error_code, failures from calendars") == [(None, 0)]


async def test_a_calendar_whose_grant_cannot_be_opened_is_free_for_the_next_try(
    vaulted: tuple[Stage, Vault],
) -> None:
    stage, vault = vaulted
    await stage.onboard(Provider.GOOGLE, ANN)
    await stage.pass_time(timedelta(hours=2))
    stage.services.keyring.expire(stage.now + LIFETIME)
    await stage.titles()  # content is at hand again, grants are not
    stage.hold_meeting(ANN, "New", timedelta(hours=2))
    await stage.hear()
    vault.is_sealed = True

    await work(stage)
    lease = await stage.look("select lease_until, error_code from calendars")
    vault.is_sealed = False
    stage.world.clock.advance(timedelta(seconds=2))
    await stage.settle()

    assert lease == [(None, None)]
    assert await stage.titles() == ["New"]


async def test_a_consent_link_stays_good_while_no_grant_could_be_sealed(
    vaulted: tuple[Stage, Vault],
) -> None:
    stage, vault = vaulted
    link = await stage.consent_link(Provider.GOOGLE)
    answer = await allowed(stage.transport, link, email=ANN)
    vault.is_sealed = True

    with pytest.raises(KeyServiceDown):
        await connect.finish(stage.front, Provider.GOOGLE, answer)
    vault.is_sealed = False
    stage.world.clock.advance(timedelta(seconds=2))
    finished = await connect.finish(stage.front, Provider.GOOGLE, answer)

    assert (finished.error_code, finished.account_id) == (None, ANN)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("sealed", "sealed: unseal it"),
        ("slow", r"does not answer within 0\.2 s"),
        ("forbidding", None),
        ("none", None),
    ],
)
async def test_readiness_says_in_words_what_is_wrong_with_the_key_service(
    vaulted: tuple[Stage, Vault], kind: str, word: str | None
) -> None:
    stage, vault = vaulted
    trouble(vault, kind)

    said = await probes_of(stage.front)["keys"]()

    if kind == "forbidding":
        vault.policies["default"] = ()
        said = await probes_of(stage.front)["keys"]()
        word = "forbids it"
    if word is None:
        assert said is None
    else:
        assert said is not None
        assert word.replace("\\", "") in said


async def test_another_tenant_with_keys_at_hand_does_not_wait_for_one_without(
    vaulted: tuple[Stage, Vault],
) -> None:
    stage, vault = vaulted
    made = await tenants.create_tenant(stage.front, TenantWish(name="Other"))
    stage.services.keyring.expire(stage.now + LIFETIME)
    await stage.titles()
    vault.answers_after = 0.5
    waiting = asyncio.create_task(
        stage.services.keyring.cipher(made.tenant.id, "content", stage.now)
    )
    await asyncio.sleep(0.01)

    async with asyncio.timeout(0.3):
        seen = await stage.titles()

    assert seen == []
    with pytest.raises(KEYS_AWAY):
        await waiting


async def test_the_api_cannot_open_a_grant_and_a_worker_lists_an_accounts_calendars_for_it(
    vaulted: tuple[Stage, Vault],
) -> None:
    stage, _ = vaulted
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    context = TenantContext(tenant_id=stage.context.tenant_id, actor="test")

    with pytest.raises(KeyServiceRefused):
        await stage.front.keyring.cipher(context.tenant_id, "grant", stage.now)
    found = await live.list_calendars(stage.answered, context, user_id, Scope())

    assert [one.name for account in found.accounts for one in account.listed] == [ANN]
    assert await stage.look("select count(*) from errands") == [0]


async def test_an_errand_that_nobody_does_is_given_up_and_one_that_nobody_fetches_is_deleted(
    vaulted: tuple[Stage, Vault],
) -> None:
    stage, _ = vaulted
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    (connection,) = await stage.connections(user_id)
    account = live.Account(connection.id, connection.provider)

    hasty = msgspec.structs.replace(stage.front, clock=Hasty(stage.world.clock))
    with pytest.raises(TryLater):
        await errands.run(hasty, stage.context, live.LISTING, account)
    left = await stage.look("select count(*) from errands")

    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        question = rows.Question(kind="calendars", body=msgspec.msgpack.encode(account))
        await rows.ask(session, question, stage.now)
    await stage.settle()
    answered = await stage.look("select count(*) from errands where answer is not null")
    await stage.pass_time(timedelta(minutes=3))

    assert (left, answered) == ([0], [1])
    assert await stage.look("select count(*) from errands") == [0]
