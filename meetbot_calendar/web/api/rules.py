"""``/v1/calendar/users/{id}/rules``: what decides for a calendar user."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, delete, get, post, put
from litestar.params import FromPath, HeaderParameter, JSONBody

from meetbot_calendar.errors import Fault, Invalid
from meetbot_calendar.journeys import decide, rule_sets, users
from meetbot_calendar.journeys.decide import Effects, PreviewRow
from meetbot_calendar.journeys.rule_sets import SavedRules, Saving
from meetbot_calendar.web.api.events import DecisionView, steps_view
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    Given,
    LaterInstant,
    PageOf,
    Wish,
    page_of,
    utc,
    utc_or_none,
)
from meetbot_calendar.web.auth import PERSON
from meetbot_calendar.web.witness import CHANGES_NOTHING
from rules.parse import Action, decode_rule_set
from tenants.identity import CalendarUserId

MOST_RULES = 100
_LONGEST_VERSION = 10

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match")]


class RuleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: where `when`, a JsonLogic expression, is truthy, `action` is what happens."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    action: Action
    when: Any
    bot_config: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


class RuleSetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules in their order: the first that holds decides, else `default`."""

    rules: Annotated[tuple[RuleBody, ...], msgspec.Meta(max_length=MOST_RULES)]
    default: Action | msgspec.UnsetType | None = msgspec.UNSET


class PreviewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules to try on the stored events; without `rules` and `default`, those that stand."""

    rules: tuple[dict[str, Any], ...] | msgspec.UnsetType = msgspec.UNSET
    default: Action | msgspec.UnsetType | None = msgspec.UNSET
    time_min: LaterInstant | None = None
    time_max: LaterInstant | None = None
    trace: bool = False


class RestoreBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version to save again."""

    version: Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)]


class EffectsView(msgspec.Struct, frozen=True, kw_only=True):
    """What it did to the person's bots."""

    scheduled: int
    cancelled: int
    unchanged: int


class RulesView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rules as they stand."""

    version: int
    updated_at: datetime
    rules: list[dict[str, Any]]
    default: Action | None
    effects: EffectsView | msgspec.UnsetType = msgspec.UNSET


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One saved version; one that removed the rules has `removed`."""

    version: int
    saved_at: datetime
    saved_by: str
    removed: bool
    rules: list[dict[str, Any]]
    default: Action | None


class PreviewEventView(msgspec.Struct, frozen=True, kw_only=True):
    """The event that was decided over."""

    id: str
    title: str | None
    start_time: datetime | None


class PreviewRowView(msgspec.Struct, frozen=True, kw_only=True):
    """One event under the tried rules; `changes` says whether today's decision is another."""

    event: PreviewEventView
    decision: DecisionView
    changes: bool


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What the tried rules would do; nothing was changed."""

    results: tuple[PreviewRowView, ...]


def _effects(effects: Effects) -> EffectsView:
    return EffectsView(
        scheduled=effects.scheduled, cancelled=effects.cancelled, unchanged=effects.unchanged
    )


def _rules(saved: SavedRules) -> RulesView:
    document = saved.document or {}
    return RulesView(
        version=saved.version,
        updated_at=utc(saved.saved_at),
        rules=document.get("rules", []),
        default=document.get("default"),
    )


def _tagged(view: RulesView) -> Response[RulesView]:
    return Response(view, headers={"ETag": f'"{view.version}"'})


def _version(if_match: str | None) -> int | None:
    """Read the version that an editor saw; None where any will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    number = if_match.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdecimal() and len(number) < _LONGEST_VERSION):
        fault = Fault("/header/If-Match", "This is no version: give the ETag that was answered.")
        raise Invalid("If-Match cannot be read.", (fault,), code="invalid_parameter")
    return int(number)


def _saving(saving: Saving) -> RulesView:
    return msgspec.structs.replace(_rules(saving.saved), effects=_effects(saving.effects))


def version_view(saved: SavedRules) -> VersionView:
    """Write one saved version."""
    document = saved.document or {}
    return VersionView(
        version=saved.version,
        saved_at=utc(saved.saved_at),
        saved_by=saved.saved_by,
        removed=saved.document is None,
        rules=document.get("rules", []),
        default=document.get("default"),
    )


def _preview(row: PreviewRow) -> PreviewRowView:
    decision = row.decision
    return PreviewRowView(
        event=PreviewEventView(
            id=row.event_id, title=row.title, start_time=utc_or_none(row.start_time)
        ),
        decision=DecisionView(
            action=decision.action,
            source=decision.source,
            rule=decision.rule,
            reason=decision.reason,
            detail=decision.detail,
            rule_set_version=None,
            decided_at=None,
            errors=decision.errors,
            trace=msgspec.UNSET if decision.trace is None else steps_view(decision.trace),
        ),
        changes=row.changes,
    )


@get()
async def read_rules(
    services: Given, context: Caller, user_id: FromPath[CalendarUserId]
) -> Response[RulesView]:
    """Return the calendar user's rules; 404 where they have none and the tenant's default holds.

    `ETag` names the version, for `If-Match`.
    """
    return _tagged(_rules(await rule_sets.read_rules(services, context, user_id)))


@put()
async def save_rules(
    services: Given,
    context: Caller,
    request: Request[Any, Any, Any],
    user_id: FromPath[CalendarUserId],
    if_match: IfMatch = None,
) -> Response[RulesView]:
    """Save rules as a new version, decide all coming events by them, and say what that did.

    With `If-Match` the rules are saved only if that version still stands; else it is 412.
    """
    document = decode_rule_set(await request.body())
    expected = _version(if_match)
    saving = await rule_sets.save_rules(services, context, user_id, document, expected)
    return _tagged(_saving(saving))


@delete(status_code=200)
async def remove_rules(
    services: Given,
    context: Caller,
    user_id: FromPath[CalendarUserId],
    if_match: IfMatch = None,
) -> EffectsView:
    """Take the rules away, so that the tenant's default holds; saved versions are kept."""
    expected = _version(if_match)
    return _effects(await rule_sets.remove_rules(services, context, user_id, expected))


@get("/versions")
async def list_rule_versions(
    services: Given, context: Caller, wish: Wish, user_id: FromPath[CalendarUserId]
) -> PageOf[VersionView]:
    """List every saved version, newest first, with who saved it and when."""
    listed = await rule_sets.list_versions(services, context, user_id, wish)
    return page_of(listed, tuple(version_view(saved) for saved in listed.results))


@post("/restore", status_code=200)
async def restore_rules(
    services: Given,
    context: Caller,
    user_id: FromPath[CalendarUserId],
    data: JSONBody[RestoreBody],
) -> RulesView:
    """Save an earlier version again, as the newest, and say what that did."""
    return _saving(await rule_sets.restore_rules(services, context, user_id, data.version))


@post("/preview", status_code=200, opt=CHANGES_NOTHING)
async def preview_rules(
    services: Given,
    context: Caller,
    user_id: FromPath[CalendarUserId],
    data: JSONBody[PreviewBody],
) -> PreviewView:
    """Try rules on the stored events: record or skip, the rule, why. Changes nothing."""
    await users.read_user(services, context, user_id)
    rows = await decide.preview(
        services,
        context,
        user_id,
        _document(data),
        time_min=data.time_min,
        time_max=data.time_max,
        trace=data.trace,
    )
    return PreviewView(results=tuple(_preview(row) for row in rows))


def _document(data: PreviewBody) -> dict[str, Any] | None:
    if data.rules is msgspec.UNSET and data.default is msgspec.UNSET:
        return None
    given: dict[str, Any] = {"rules": list(data.rules or ()), "default": data.default}
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}


router = Router(
    "/v1/calendar/users/{user_id:str}/rules",
    route_handlers=[
        read_rules,
        save_rules,
        remove_rules,
        list_rule_versions,
        restore_rules,
        preview_rules,
    ],
    dependencies=PAGED,
    opt=PERSON,
    tags=["Rules"],
)
