"""The tenants' own rooms: what is claimed by two is had by one, and walls stand."""

import asyncio
from datetime import timedelta

import pytest

from tenants.api_keys import ApiKey, hash_of
from tenants.identity import ApiKeyId, TenantContext, TenantPolicy
from tenants.secrets.data_key_store import StoredKey
from tenants.secrets.key_provider import TenantKey
from tenants.storage import api_keys, audit, directory, idempotency, oauth_apps, users
from tenants.storage.data_keys import DataKeys
from tenants.storage.idempotency import KeptAnswer, Known
from tenants.storage.session import Database, open_engine
from tenants.storage.tables import audit_log
from tenants.storage.users import UserContent
from tests.fixed_clock import NOON
from tests.storage.rooms import ACME, OTHER, two_tenants

PATIENCE = timedelta(minutes=5)
SOMEBODY = TenantContext(tenant_id=ACME, actor="a")
ANSWER = KeptAnswer(status=201, content_type="application/json", body=b"{}")


async def test_a_person_asked_for_twice_at_once_is_one_person(database_url: str) -> None:
    async with two_tenants(database_url) as database:

        async def ensure() -> tuple[str, bool]:
            async with database.tenant(ACME) as session:
                user, made = await users.ensure(session, "ann", NOON)
                return user.id, made

        found = await asyncio.gather(*(ensure() for _ in range(5)))

    assert len({user_id for user_id, _ in found}) == 1
    assert [made for _, made in found].count(True) == 1


async def test_the_same_customer_id_is_another_person_at_another_tenant(
    database_url: str,
) -> None:
    async with two_tenants(database_url) as database:
        async with database.tenant(ACME) as session:
            ann, _ = await users.ensure(session, "ann", NOON)
        async with database.tenant(OTHER) as session:
            other, made = await users.ensure(session, "ann", NOON)
            seen = await users.get(session, ann.id)

    assert (made, other.id == ann.id, seen) == (True, False, None)


async def test_what_is_told_of_a_person_is_kept_sealed_and_read_back(database_url: str) -> None:
    content = UserContent(attributes={"team": "sales"}, bot_config={"bot_name": "B"})
    async with two_tenants(database_url) as database, database.tenant(ACME) as session:
        ann, _ = await users.ensure(session, "ann", NOON)
        await users.save_content(session, ann.id, content, NOON)
        read = await users.known(session, ann.id)

    assert (read.attributes, read.bot_config) == (content.attributes, content.bot_config)


async def test_an_idempotency_key_claimed_by_many_is_had_by_one(database_url: str) -> None:
    async with two_tenants(database_url) as database:

        async def claim() -> Known | None:
            async with database.tenant(ACME) as session:
                return await idempotency.claim(session, "k", b"f", now=NOON, patience=PATIENCE)

        found = await asyncio.gather(*(claim() for _ in range(5)))

    assert found.count(None) == 1
    assert found.count(Known(fingerprint=b"f", answer=None)) == 4


async def test_a_kept_answer_is_given_until_a_day_is_over(database_url: str) -> None:
    async with two_tenants(database_url) as database, database.tenant(ACME) as session:

        async def claim(after: timedelta) -> Known | None:
            now = NOON + after
            return await idempotency.claim(session, "k", b"f", now=now, patience=PATIENCE)

        await claim(timedelta(0))
        await idempotency.keep(session, "k", ANSWER)
        within = await claim(timedelta(hours=23))
        after = await claim(timedelta(hours=24))

    assert within == Known(fingerprint=b"f", answer=ANSWER)
    assert after is None


async def test_a_key_opens_the_gate_by_its_hash_alone(database_url: str) -> None:
    key = ApiKey(id=ApiKeyId("key_1"), tenant_id=ACME, name="n", prefix="mbk_", created_at=NOON)
    async with two_tenants(database_url) as database:
        async with database.tenant(ACME) as session:
            await api_keys.add(session, key, hash_of("secret"))
        async with database.gate(hash_of("secret")) as gate:
            known = await api_keys.recognise(gate)
        async with database.gate(hash_of("guess")) as gate:
            unknown = await api_keys.recognise(gate)
        async with database.tenant(OTHER) as session:
            revoked = await api_keys.revoke(session, key.id, NOON)

    assert (known, unknown, revoked) == (key, None, False)


async def test_a_policy_is_read_back_with_the_retention_beside_it(database_url: str) -> None:
    policy = TenantPolicy(retention_days=7, internal_domains=("acme.com",), dedupe="user")
    async with two_tenants(database_url) as database, database.tenant(ACME) as session:
        before = await directory.get(session, lock=True)
        await directory.save_policy(session, policy, NOON)
        after = await directory.get(session)

    assert (before.policy, after.policy) == (TenantPolicy(), policy)


async def test_an_oauth_app_is_replaced_in_place(database_url: str) -> None:
    async with two_tenants(database_url) as database, database.tenant(ACME) as session:
        await oauth_apps.save(session, "google", "one", "secret", NOON)
        await oauth_apps.save(session, "google", "two", "hush", NOON + PATIENCE)
        (app,) = await oauth_apps.all_of(session)

    assert (app.client_id, app.client_secret, app.created_at) == ("two", "hush", NOON)
    assert "hush" not in repr(app)


async def test_the_audit_log_cannot_be_changed(database_url: str) -> None:
    async with two_tenants(database_url) as database:
        async with database.tenant(ACME) as session:
            await audit.write(session, NOON, by=SOMEBODY, action="b", details={"c": 1})
        refused = [await _is_refused(database, verb) for verb in ("update", "delete")]

    assert refused == [True, True]


async def _is_refused(database: Database, verb: str) -> bool:
    statement = audit_log.update().values(actor="x")
    with pytest.raises(Exception, match="permission denied") as refusal:
        async with database.tenant(ACME) as session:
            await session.execute(statement if verb == "update" else audit_log.delete())
    return refusal.type.__name__ == "ProgrammingError"


async def test_two_processes_that_add_the_same_data_key_keep_the_first(
    database_url: str,
) -> None:
    engine = open_engine(database_url, pool_size=3)
    store = DataKeys(engine)
    keys = [
        StoredKey(
            tenant_id=ACME,
            purpose="content",
            number=1,
            under="content",
            passing=False,
            wrapped=wrapped,
            created_at=NOON,
        )
        for wrapped in (b"one", b"two")
    ]
    async with two_tenants(database_url):
        added = [await store.add(key, 1) for key in keys]
        found = await store.standing(TenantKey(ACME, "content"))
        foreign = await store.standing(TenantKey(OTHER, "content"))
    await engine.dispose()

    assert added == [True, False]
    assert (found, foreign) == ((keys[0],), ())
