"""Pages by key: every row once, whichever way one turns."""

from datetime import timedelta

import pytest

from tenants.identity import TenantContext
from tenants.storage import audit
from tenants.storage.audit import AuditFilter
from tenants.storage.paging import Keyset, Page
from tests.fixed_clock import NOON
from tests.storage.rooms import ACME, two_tenants

SOMEBODY = TenantContext(tenant_id=ACME, actor="a")


async def _turned(url: str, count: int, limit: int) -> tuple[list[list[str]], list[list[str]]]:
    async with two_tenants(url) as database, database.tenant(ACME) as session:
        for number in range(count):
            moment = NOON + timedelta(seconds=number)
            await audit.write(session, moment, by=SOMEBODY, action=str(number))

        def actions(page: Page) -> list[str]:
            return [row.action for row in page.rows]

        page = await audit.page(session, AuditFilter(), Keyset(limit=limit))
        onwards = [actions(page)]
        while page.has_next:
            page = await audit.page(
                session, AuditFilter(), Keyset(limit=limit, edge=(page.rows[-1].id,))
            )
            onwards.append(actions(page))
        back = [actions(page)]
        while page.has_previous:
            edge = (page.rows[0].id,)
            page = await audit.page(
                session, AuditFilter(), Keyset(limit=limit, edge=edge, backwards=True)
            )
            back.append(actions(page))
    return onwards, back


@pytest.mark.parametrize(("count", "limit"), [(0, 2), (1, 2), (2, 2), (5, 2), (6, 3)])
async def test_turning_on_and_back_shows_every_row_once(
    database_url: str, count: int, limit: int
) -> None:
    onwards, back = await _turned(database_url, count, limit)

    every = [str(number) for number in reversed(range(count))]
    assert [action for page in onwards for action in page] == every
    assert [action for page in reversed(back) for action in page] == every
    assert all(len(page) <= limit for page in onwards)
