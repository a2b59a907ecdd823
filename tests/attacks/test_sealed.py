"""Attempts of who holds the rows but not the keys, or holds Redis: the thief, the administrator."""

import hashlib
import pickle
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import text

from meetbot_calendar.calendars.meeting_keys import meeting_keys
from meetbot_calendar.calendars.meeting_links import room_of
from meetbot_calendar.gateways import wakeups
from meetbot_calendar.storage.names import digest_of
from meetbot_calendar.worker.tasks import JOURNEYS
from tenants.identity import TenantId
from tenants.secrets.ciphers import TenantCipher
from tenants.secrets.envelope import CannotOpen
from tenants.secrets.key_provider import KeyGone, KeyPurpose, TenantKey
from tests.attacks.scene import SECRET_WORDS, Party, Scene
from tests.journeys.stage import ANN, BOB

SEALED = (
    ("events", "id", "content", "content"),
    ("bots", "id", "content", "content"),
    ("messages", "id", "body", "content"),
    ("connections", "id", "grant_sealed", "grant"),
)


async def cipher_of(party: Party, purpose: KeyPurpose, *opened: bytes) -> TenantCipher:
    """Return a party's cipher, with every data key at hand that sealed these bytes of its own."""
    keyring, now = party.stage.services.keyring, party.stage.now
    for sealed in opened:
        await keyring.opener(party.tenant_id, purpose, sealed, now)
    return await keyring.cipher(party.tenant_id, purpose, now)


async def blobs(party: Party, table: str, name: str, column: str) -> Sequence[tuple[str, bytes]]:
    rows = await party.stage.look(
        f"select {name}, {column} from {table} where {column} is not null order by 1 limit 2"  # noqa: S608
    )
    return [(row[0], bytes(row[1])) for row in rows]


@pytest.mark.parametrize(("table", "name", "column", "purpose"), SEALED)
async def test_sealed_bytes_moved_to_another_row_or_tenant_do_not_open(
    scene: Scene, table: str, name: str, column: str, purpose: KeyPurpose
) -> None:
    (first, sealed), (second, _) = await blobs(scene.acme, table, name, column)
    (theirs, other), *_ = await blobs(scene.mallory, table, name, column)
    acme = await cipher_of(scene.acme, purpose, sealed)
    mallory = await cipher_of(scene.mallory, purpose, other)

    assert acme.open(first, sealed)
    for cipher, row in ((acme, second), (acme, theirs), (mallory, first), (mallory, theirs)):
        with pytest.raises(CannotOpen):
            cipher.open(row, sealed)


async def test_a_grant_does_not_open_with_the_keys_of_content_nor_content_with_grants(
    scene: Scene,
) -> None:
    (connection, sealed), *_ = await blobs(scene.acme, "connections", "id", "grant_sealed")
    (event, told), *_ = await blobs(scene.acme, "events", "id", "content")
    content = await cipher_of(scene.acme, "content", told)
    grant = await cipher_of(scene.acme, "grant", sealed)

    with pytest.raises(CannotOpen):
        content.open(connection, sealed)
    with pytest.raises(CannotOpen):
        grant.open(event, told)


async def test_sealed_bytes_of_which_one_bit_was_changed_do_not_open(scene: Scene) -> None:
    (row, sealed), *_ = await blobs(scene.acme, "connections", "id", "grant_sealed")
    cipher = await cipher_of(scene.acme, "grant", sealed)
    assert cipher.open(row, sealed)

    for place in [*range(40), len(sealed) - 1]:
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(CannotOpen):
            cipher.open(row, bytes(changed))
    for cut in (b"", sealed[:1], sealed[:32], sealed[:-1], sealed + b"\0"):
        with pytest.raises(CannotOpen):
            cipher.open(row, cut)


async def test_events_whose_contents_an_administrator_swapped_are_not_shown_as_each_others(
    scene: Scene,
) -> None:
    path = f"/v1/calendar/users/{scene.mallory.user_id}/events"
    stage = scene.mallory.stage
    (first, one), (second, other) = await blobs(scene.mallory, "events", "id", "content")

    async def put(content: dict[str, bytes]) -> None:
        async with stage.services.database.tenant(scene.mallory.tenant_id) as session:
            for event, sealed in content.items():
                await session.execute(
                    text("update events set content = :c where id = :i"), {"c": sealed, "i": event}
                )

    await put({first: other, second: one})
    answers = [await scene.mallory.tenant.get(f"{path}/{event}") for event in (first, second)]
    await put({first: one, second: other})

    assert [answer.status_code for answer in answers] == [500, 500]
    assert [answer for answer in answers if SECRET_WORDS in answer.text] == []
    assert (await scene.mallory.tenant.get(f"{path}/{first}")).status_code == 200


async def test_every_row_of_a_tenant_is_without_a_word_of_what_its_people_do(
    scene: Scene,
) -> None:
    rows = repr(await scene.acme.rows())

    for word in (SECRET_WORDS, SECRET_WORDS.encode().hex(), "whsec_", "1//0g", "secret-1"):
        assert word not in rows


async def test_no_row_tells_whose_accounts_are_connected_or_where_their_tenant_is_told(
    scene: Scene,
) -> None:
    rows = repr(await scene.acme.rows())

    words = (ANN, BOB, "ann@", "bob@", "Ann", "Bob", "'ann'", "/customer/webhooks")
    assert [word for word in words if word in rows] == []


async def test_a_room_that_somebody_guesses_cannot_be_tried_on_the_rows(scene: Scene) -> None:
    events = await scene.acme.stage.events()
    (stored,) = [
        set(chain.from_iterable(rows))
        for rows in [await scene.acme.stage.look("select meeting_keys from events")]
    ]
    guesses = {
        key
        for event in events
        for key in meeting_keys(event, room_of(event.content.meeting_url or ""))
    }

    assert len(guesses) > 3
    assert stored & guesses == set()
    assert stored & {digest_of(scene.acme.tenant_id, guess) for guess in guesses} == set()
    assert stored & {hashlib.sha256(guess.encode()).hexdigest() for guess in guesses} == set()


async def test_the_same_room_has_another_name_at_another_tenant(scene: Scene) -> None:
    stored = [
        set(chain.from_iterable(await party.stage.look("select meeting_keys from events")))
        for party in (scene.acme, scene.mallory)
    ]

    assert stored[0]
    assert stored[0] & stored[1] == set()


async def test_a_data_key_taken_to_another_tenant_does_not_unwrap(scene: Scene) -> None:
    provider: Any = scene.acme.stage.services.keyring._provider
    wanted = "select wrapped from data_keys where purpose = 'content' order by id limit 1"
    (row,) = await scene.acme.stage.look(wanted)

    with pytest.raises(CannotOpen):
        await provider.unwrap(TenantKey(scene.mallory.tenant_id, "content"), bytes(row))
    with pytest.raises(KeyGone):
        await provider.unwrap(TenantKey(TenantId("ten_never_was"), "content"), bytes(row))


async def test_what_was_backed_up_before_a_tenants_key_was_destroyed_stays_shut(
    scene: Scene,
) -> None:
    services = scene.acme.stage.services
    key = TenantKey(TenantId("ten_leaving"), "content")
    provider: Any = services.keyring._provider
    await provider.create(key)
    backup = (await provider.generate(key)).wrapped
    assert await provider.unwrap(key, backup)

    await provider.destroy(key)
    await provider.create(key)  # a key of the same name is another key

    with pytest.raises((CannotOpen, KeyGone)):
        await provider.unwrap(key, backup)


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemError('executed')",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_job_that_somebody_put_into_redis_runs_no_code(protocol: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        wakeups.deserialize(pickle.dumps(_Evil(), protocol))


async def test_a_ring_for_another_tenants_row_finds_nothing_to_do(scene: Scene) -> None:
    names = await scene.acme.names()
    before = await scene.acme.rows()
    asked = len(scene.acme.stage.world.journal.asked)

    for journey in JOURNEYS.values():
        for name in names:
            with suppress(Exception):  # whatever it says, it shall do nothing
                await journey(scene.acme.stage.services, scene.mallory.tenant_id, name)

    assert await scene.acme.rows() == before
    assert len(scene.acme.stage.world.journal.asked) == asked


async def test_what_lies_in_redis_for_a_ring_is_ids_alone(scene: Scene) -> None:
    rings = scene.acme.stage.rings.heard

    assert len(rings) > 10
    for kind, row in rings:
        assert kind in {*JOURNEYS, "dispatch"}
        assert set(row) <= set("abcdefghijklmnopqrstuvwxyz0123456789_"), row
