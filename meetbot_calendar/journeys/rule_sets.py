"""A person's rules: saved in versions, restored, taken away; then all is decided anew."""

from datetime import datetime
from typing import Any

import msgspec

from meetbot_calendar.errors import Conflict, Invalid, Missing
from meetbot_calendar.journeys import decide
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.decide import Effects
from meetbot_calendar.journeys.fitness import unfit
from meetbot_calendar.journeys.paging import Count, Listing, PageWish, listing, place_of
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import event_marks, rule_sets
from meetbot_calendar.storage.rule_sets import SavedRules
from rules.parse import parse_rule_set
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import audit
from tenants.storage.session import TenantSession

__all__ = ["SavedRules", "Saving"]


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """A version just saved, and what it did to the person's bots."""

    saved: SavedRules
    effects: Effects


async def read_rules(
    services: Services, context: TenantContext, user_id: CalendarUserId
) -> SavedRules:
    """Return the person's standing rules. Raises ``Missing`` where the tenant's default holds."""
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        version, _ = await rule_sets.active(session, user_id)
        saved = await rule_sets.get(session, user_id, version)
    if saved is None or saved.document is None:
        raise Missing(
            "This calendar user has no rules: the tenant's default_rules hold.", code="no_rules"
        )
    return saved


async def save_rules(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    document: dict[str, Any],
    expected: int | None = None,
) -> Saving:
    """Save rules and decide all coming events by them. Raises ``RuleSetInvalid``.

    ``expected`` is the version that the editor saw: where another one stands by now, somebody else
    has saved meanwhile, and nothing is changed (``Conflict``).
    """
    parse_rule_set(document)
    if faults := tuple(unfit(document)):
        raise Invalid("The rules cannot be kept.", faults, code="invalid_rules")
    return await _save(services, context, user_id, document, "rules.saved", expected)


async def remove_rules(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    expected: int | None = None,
) -> Effects:
    """Take a person's rules away, so that the tenant's default holds. Versions are kept."""
    await read_rules(services, context, user_id)
    return (await _save(services, context, user_id, None, "rules.removed", expected)).effects


async def restore_rules(
    services: Services, context: TenantContext, user_id: CalendarUserId, version: int
) -> Saving:
    """Save an earlier version again, as the newest."""
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        saved = await rule_sets.get(session, user_id, version)
    if saved is None:
        raise Missing("There is no such version of this calendar user's rules.")
    if saved.document is not None:
        parse_rule_set(saved.document)
    return await _save(services, context, user_id, saved.document, "rules.restored")


async def list_versions(
    services: Services, context: TenantContext, user_id: CalendarUserId, wish: PageWish
) -> Listing[SavedRules]:
    """List every version that was saved, newest first."""
    place = place_of(wish, tuple[Count], "rules", user_id)
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        page = await rule_sets.page(session, user_id, place.keyset)
        found = [rule_sets.saved_rules(session, row) for row in page.rows]
    return listing(place, page, found, [(saved.version,) for saved in found])


async def _save(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    document: dict[str, Any] | None,
    action: str,
    expected: int | None = None,
) -> Saving:
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id, lock=True)
        await _check(session, user_id, expected)
        version = await rule_sets.save(session, user_id, document, context.actor, now)
        await event_marks.mark_user(session, user_id, decide.swept_at(services))
        await audit.write(
            session,
            now,
            by=context,
            action=action,
            target=user_id,
            details={"version": version},
        )
    effects = await decide.decide(services, context.tenant_id, user_id)
    return Saving(saved=_saved(version, document, context, now), effects=effects)


async def _check(session: TenantSession, user_id: CalendarUserId, expected: int | None) -> None:
    standing, _ = await rule_sets.active(session, user_id)
    if expected not in (None, standing):
        raise Conflict(
            f"Version {standing} stands by now, not {expected}: somebody saved meanwhile. Read the"
            " rules again, and save with the version that you have read.",
            code="rules_changed",
        )


def _saved(
    version: int, document: dict[str, Any] | None, context: TenantContext, now: datetime
) -> SavedRules:
    return SavedRules(version=version, document=document, saved_by=context.actor, saved_at=now)
