"""Rule sets: every version that was ever saved for a person, and which one stands."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Select, insert, select, update

from meetbot_calendar.storage.tables import rule_sets
from tenants.identity import CalendarUserId
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users


class SavedRules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a person's rules; without a document it removed them."""

    version: int
    document: dict[str, Any] | None
    saved_by: str
    saved_at: datetime


async def active(
    session: TenantSession, user_id: CalendarUserId
) -> tuple[int, dict[str, Any] | None]:
    """Return the number of the standing version (0: none was ever saved) and its document."""
    statement = select(calendar_users.c.rules_version).where(calendar_users.c.id == user_id)
    version = int((await session.execute(statement)).scalar_one())
    saved = await get(session, user_id, version)
    return version, None if saved is None else saved.document


async def get(session: TenantSession, user_id: CalendarUserId, version: int) -> SavedRules | None:
    """Return one version."""
    statement = _of(user_id).where(rule_sets.c.version == version)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else saved_rules(session, row)


async def page(session: TenantSession, user_id: CalendarUserId, keyset: Keyset) -> Page:
    """List versions, newest first."""
    order = [rule_sets.c.version]
    return await page_of(session, _of(user_id), order, keyset, descending=True)


async def save(
    session: TenantSession,
    user_id: CalendarUserId,
    document: dict[str, Any] | None,
    saved_by: str,
    now: datetime,
) -> int:
    """Write the next version and let it stand; returns its number."""
    raised = (
        update(calendar_users)
        .where(calendar_users.c.id == user_id)
        .values(rules_version=calendar_users.c.rules_version + 1, updated_at=now)
        .returning(calendar_users.c.rules_version)
    )
    version = int((await session.execute(raised)).scalar_one())
    sealed = None
    if document is not None:
        sealed = session.seal(_name(user_id, version), msgspec.json.encode(document))
    await session.execute(
        insert(rule_sets).values(
            tenant_id=session.tenant_id,
            user_id=user_id,
            version=version,
            document=sealed,
            saved_by=saved_by,
            saved_at=now,
        )
    )
    return version


def _name(user_id: str, version: int) -> str:
    return f"rules:{user_id}:{version}"


def _of(user_id: CalendarUserId) -> Select[Any]:
    return select(rule_sets).where(rule_sets.c.user_id == user_id)


def saved_rules(session: TenantSession, row: Row[Any]) -> SavedRules:
    """Turn a row into a version."""
    document = None
    if row.document is not None:
        raw = session.open(_name(row.user_id, row.version), row.document, bytes)
        document = msgspec.json.decode(raw, type=dict[str, Any])
    return SavedRules(
        version=row.version,
        document=document,
        saved_by=row.saved_by,
        saved_at=row.saved_at,
    )
