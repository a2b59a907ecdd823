"""One contract for every key service: files, the double of Vault, and a real Vault for tests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tenants.identity import TenantId
from tenants.secrets.envelope import CannotOpen
from tenants.secrets.key_provider import KeyGone, Standing
from tests.vault.hands import Hands, a_tenant, content, grant, hands_of


@pytest.fixture(params=["local", "double", "real"])
async def hands(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands_of(request.param, tmp_path / "keys") as given:
        yield given


@pytest.fixture
def ana() -> TenantId:
    return a_tenant("ana")


@pytest.fixture
def bob() -> TenantId:
    return a_tenant("bob")


async def test_a_data_key_is_new_each_time_and_unwraps_to_itself(
    hands: Hands, ana: TenantId
) -> None:
    await hands.api.create(content(ana))

    first, second = [await hands.api.generate(content(ana)) for _ in range(2)]

    assert len(first.plaintext) == 32
    assert first.plaintext != second.plaintext
    assert bytes(first.plaintext) not in first.wrapped
    assert await hands.worker.unwrap(content(ana), first.wrapped) == first.plaintext
    assert await hands.api.unwrap(content(ana), second.wrapped) == second.plaintext


async def test_making_a_tenants_key_again_changes_nothing(hands: Hands, ana: TenantId) -> None:
    await hands.api.create(content(ana))
    made = await hands.api.generate(content(ana))

    await asyncio.gather(*(hands.api.create(content(ana)) for _ in range(5)))

    assert await hands.api.unwrap(content(ana), made.wrapped) == made.plaintext
    assert await hands.rotation.standing(content(ana)) == Standing(latest=1, floor=1)


async def test_a_data_key_unwraps_for_no_other_tenant_and_no_other_purpose(
    hands: Hands, ana: TenantId, bob: TenantId
) -> None:
    for name in (content(ana), content(bob), grant(ana)):
        await hands.api.create(name)
    made = await hands.api.generate(content(ana))

    for name in (content(bob), grant(ana)):
        with pytest.raises(CannotOpen):
            await hands.worker.unwrap(name, made.wrapped)


@pytest.mark.parametrize(
    "wrapped",
    [
        b"", b"vault:v1:", b"vault:v9:AAAA", b"vault:v1:AAAA", b"vault:vx:AAAA", b"vault:v1:???",
        b"vault:v1:eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4", b"\xff" * 80,
    ],
)  # fmt: skip
async def test_nonsense_does_not_unwrap(hands: Hands, ana: TenantId, wrapped: bytes) -> None:
    await hands.api.create(content(ana))

    with pytest.raises(CannotOpen):
        await hands.worker.unwrap(content(ana), wrapped)
    with pytest.raises(CannotOpen):
        await hands.rotation.rewrap(content(ana), wrapped)


async def test_a_changed_wrapped_key_does_not_unwrap(hands: Hands, ana: TenantId) -> None:
    await hands.api.create(content(ana))
    wrapped = bytearray((await hands.api.generate(content(ana))).wrapped)
    wrapped[-6] ^= 1

    with pytest.raises(CannotOpen):
        await hands.worker.unwrap(content(ana), bytes(wrapped))


async def test_after_destroying_nothing_opens_and_nothing_brings_the_key_back(
    hands: Hands, ana: TenantId, bob: TenantId
) -> None:
    await hands.api.create(content(ana))
    await hands.api.create(content(bob))
    lost, kept = [await hands.api.generate(content(one)) for one in (ana, bob)]

    await hands.worker.destroy(content(ana))
    await hands.worker.destroy(content(ana))

    for ask in (
        lambda: hands.worker.unwrap(content(ana), lost.wrapped),
        lambda: hands.api.generate(content(ana)),
        lambda: hands.worker.generate(content(ana)),
        lambda: hands.rotation.generate_wrapped(content(ana)),
        lambda: hands.rotation.rewrap(content(ana), lost.wrapped),
        lambda: hands.rotation.rotate(content(ana)),
        lambda: hands.rotation.standing(content(ana)),
        lambda: hands.rotation.raise_floor(content(ana), 1),
        lambda: hands.worker.unwrap(content(ana), lost.wrapped),
    ):
        with pytest.raises(KeyGone):
            await ask()
    assert await hands.worker.unwrap(content(bob), kept.wrapped) == kept.plaintext


async def test_a_key_made_anew_does_not_open_what_the_destroyed_one_wrapped(
    hands: Hands, ana: TenantId
) -> None:
    await hands.api.create(content(ana))
    lost = await hands.api.generate(content(ana))
    await hands.worker.destroy(content(ana))

    await hands.api.create(content(ana))

    with pytest.raises(CannotOpen):
        await hands.worker.unwrap(content(ana), lost.wrapped)


async def test_a_tenant_without_a_key_has_none(hands: Hands, ana: TenantId) -> None:
    with pytest.raises(KeyGone):
        await hands.api.generate(content(ana))


async def test_versions_come_and_go_and_a_data_key_follows_them(
    hands: Hands, ana: TenantId
) -> None:
    name = grant(ana)
    await hands.api.create(name)
    made = await hands.api.generate(name)

    await hands.rotation.rotate(name)
    anew = await hands.rotation.rewrap(name, made.wrapped)
    both = [await hands.worker.unwrap(name, one) for one in (made.wrapped, anew)]
    await hands.rotation.raise_floor(name, 2)

    assert both == [made.plaintext] * 2
    assert [hands.api.version_of(one) for one in (made.wrapped, anew)] == [1, 2]
    assert await hands.rotation.standing(name) == Standing(latest=2, floor=2)
    assert await hands.worker.unwrap(name, anew) == made.plaintext
    with pytest.raises(CannotOpen):
        await hands.worker.unwrap(name, made.wrapped)
    with pytest.raises(CannotOpen):
        await hands.rotation.rewrap(name, made.wrapped)


async def test_a_data_key_that_nobody_saw_unwraps_for_who_may(hands: Hands, ana: TenantId) -> None:
    await hands.api.create(grant(ana))

    wrapped = await hands.rotation.generate_wrapped(grant(ana))

    assert len(await hands.worker.unwrap(grant(ana), wrapped)) == 32


async def test_a_service_that_works_is_healthy(hands: Hands) -> None:
    for keys in (hands.api, hands.worker, hands.rotation):
        await keys.health()
