"""Rule sets: every version kept, numbered without a gap, however many save at once."""

import asyncio

from meetbot_calendar.storage import rule_sets
from tenants.storage import users
from tenants.storage.paging import Keyset
from tests.fixed_clock import NOON
from tests.storage.rooms import ACME, two_tenants


async def test_versions_saved_at_once_are_numbered_one_by_one(database_url: str) -> None:
    async with two_tenants(database_url) as database:
        async with database.tenant(ACME) as session:
            ann = (await users.ensure(session, "ann", NOON))[0].id

        async def save(number: int) -> int:
            async with database.tenant(ACME) as session:
                document = {"rules": [], "default": "record", "number": number}
                return await rule_sets.save(session, ann, document, "test", NOON)

        versions = await asyncio.gather(*(save(number) for number in range(5)))
        async with database.tenant(ACME) as session:
            page = await rule_sets.page(session, ann, Keyset(limit=10))
            found = [rule_sets.saved_rules(session, row) for row in page.rows]
            active, _ = await rule_sets.active(session, ann)

    assert sorted(versions) == [1, 2, 3, 4, 5]
    assert [saved.version for saved in found] == [5, 4, 3, 2, 1]
    assert active == 5


async def test_rules_taken_away_leave_a_version_without_a_document(database_url: str) -> None:
    async with two_tenants(database_url) as database, database.tenant(ACME) as session:
        ann = (await users.ensure(session, "ann", NOON))[0].id
        before = await rule_sets.active(session, ann)
        await rule_sets.save(session, ann, {"rules": []}, "test", NOON)
        await rule_sets.save(session, ann, None, "test", NOON)
        after = await rule_sets.active(session, ann)
        first = await rule_sets.get(session, ann, 1)

    assert (before, after) == ((0, None), (2, None))
    assert first is not None
    assert first.document == {"rules": []}
