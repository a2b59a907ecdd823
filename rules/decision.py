"""Whether one event is recorded: every reason in its order, the first that speaks decides."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from rules.budget import DECISION_STEPS, RULE_STEPS, Fuel, OutOfBudget
from rules.explain import deciding, in_words
from rules.facts import Facts, as_data
from rules.opt_out import OptOut, matches_opt_out
from rules.parse import Action, Rule, RuleSet
from rules.values import Json, truthy

__all__ = ["Case", "Decision", "OptOut", "Reason", "Source", "Step", "decide", "matches_opt_out"]

Source: TypeAlias = Literal["override", "policy", "rule", "default", "auto", "precondition"]
Reason: TypeAlias = Literal[
    "no_meeting_link",
    "all_day",
    "no_times",
    "cancelled",
    "ended",
    "opted_out",
    "manual",
    "declined",
    "matched",
    "no_match",
    "rule_error",
]
_RuleSource: TypeAlias = Literal["policy", "rule"]
_Outcome: TypeAlias = Literal["matched", "not_matched", "error"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule made of the event: part of a trace.

    ``because`` holds the variables that decided, with their values.
    """

    rule: str
    source: _RuleSource
    outcome: _Outcome
    because: dict[str, Json]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Record or skip, and why.

    ``reason`` is a stable code, ``detail`` a sentence with the values that decided. ``errors``
    names the rules that ran out of their budget and were passed over.
    """

    action: Action
    source: Source
    rule: str | None = None
    reason: Reason
    detail: str
    bot_config: dict[str, Json] | None = None
    errors: tuple[str, ...] = ()
    trace: tuple[Step, ...] | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that one decision needs.

    ``opted_out`` is the sentence of ``matches_opt_out``. ``policy`` are the tenant's rules, which
    beat every user's; ``rule_set`` is the user's own, ``tenant_default`` counts where it is None.
    """

    facts: Facts
    has_link: bool
    has_times: bool
    is_cancelled: bool = False
    is_over: bool = False
    opted_out: str | None = None
    override: Action | None = None
    record_declined: bool = False
    policy: RuleSet | None = None
    rule_set: RuleSet | None = None
    tenant_default: RuleSet | None = None
    auto_schedule: bool = False


def decide(case: Case, *, trace: bool = False) -> Decision:
    """Decide one event."""
    return (
        _impossible(case)
        or _forbidden(case)
        or _overridden(case)
        or _declined(case)
        or _Hearing(case, trace=trace).decision()
    )


def _impossible(case: Case) -> Decision | None:
    for reason, detail in _obstacles(case):
        return Decision(action="skip", source="precondition", reason=reason, detail=detail)
    return None


def _obstacles(case: Case) -> Iterator[tuple[Reason, str]]:
    if not case.has_link:
        yield "no_meeting_link", "The event has no meeting link that a bot could join."
    if case.facts.is_all_day:
        yield "all_day", "The event is all day: it has no hour at which a bot could join."
    if not case.has_times:
        yield "no_times", "The event has no start and end."
    if case.is_cancelled:
        yield "cancelled", "The event is cancelled."
    if case.is_over:
        ended = f" at {case.facts.end:%Y-%m-%dT%H:%M:%SZ}" if case.facts.end else ""
        yield "ended", f"The event ended{ended}."


def _forbidden(case: Case) -> Decision | None:
    if case.opted_out is None:
        return None
    return Decision(action="skip", source="policy", reason="opted_out", detail=case.opted_out)


def _overridden(case: Case) -> Decision | None:
    if case.override is None:
        return None
    wanted = "to be recorded" if case.override == "record" else "not to be recorded"
    detail = f"A person chose this event {wanted}."
    return Decision(action=case.override, source="override", reason="manual", detail=detail)


def _declined(case: Case) -> Decision | None:
    if case.facts.my_response != "declined" or case.record_declined:
        return None
    detail = "The calendar's owner declined: my_response is “declined”."
    return Decision(action="skip", source="precondition", reason="declined", detail=detail)


class _Hearing:
    """Asks the rules about one event, in their order, out of one budget."""

    def __init__(self, case: Case, *, trace: bool) -> None:
        self._case = case
        self._data = as_data(case.facts)
        self._left = DECISION_STEPS
        self._errors: list[str] = []
        self._steps: list[Step] | None = [] if trace else None

    def decision(self) -> Decision:
        policy, own = self._case.policy, self._case.rule_set
        active = self._case.tenant_default if own is None else own
        rule = self._first_match("policy", policy) if policy else None
        if rule:
            return self._by_rule("policy", rule)
        rule = self._first_match("rule", active) if active else None
        return self._by_rule("rule", rule) if rule else self._by_default()

    def _first_match(self, source: _RuleSource, rule_set: RuleSet) -> Rule | None:
        for rule in rule_set.rules:
            outcome = self._outcome(rule)
            if outcome == "error":
                self._errors.append(rule.name)
            if self._steps is not None:
                because = {} if outcome == "error" else self._because(rule)
                step = Step(rule=rule.name, source=source, outcome=outcome, because=because)
                self._steps.append(step)
            if outcome == "matched":
                return rule
        return None

    def _outcome(self, rule: Rule) -> _Outcome:
        given = min(RULE_STEPS, self._left)
        fuel = Fuel(given - rule.when.cost)
        if fuel.left < 0:
            return "error"
        try:
            value = rule.when.run(self._data, fuel)
        except (OutOfBudget, RecursionError):
            self._left -= given
            return "error"
        self._left -= given - fuel.left
        return "matched" if truthy(value) else "not_matched"

    def _because(self, rule: Rule) -> dict[str, Json]:
        try:
            return deciding(rule.when, self._data, Fuel(RULE_STEPS))
        except (OutOfBudget, RecursionError):
            return {}

    def _by_rule(self, source: _RuleSource, rule: Rule) -> Decision:
        because = self._because(rule)
        reason = in_words(because) if because else "its condition holds"
        detail = f"Rule “{rule.name}” says {rule.action}: {reason}."
        return self._decision(
            rule.action, source, "matched", detail, rule=rule.name, bot_config=rule.bot_config
        )

    def _by_default(self) -> Decision:
        own, tenant = self._case.rule_set, self._case.tenant_default
        defaults: list[Action] = [each.default for each in (own, tenant) if each and each.default]
        reason: Reason = "rule_error" if self._errors else "no_match"
        if defaults:
            detail = f"No rule matched; the default is {defaults[0]}."
            return self._decision(defaults[0], "default", reason, detail)
        action: Action = "record" if self._case.auto_schedule else "skip"
        state = "on" if self._case.auto_schedule else "off"
        detail = f"No rule matched, and there is no default; automatic scheduling is {state}."
        return self._decision(action, "auto", reason, detail)

    def _decision(
        self,
        action: Action,
        source: Source,
        reason: Reason,
        detail: str,
        *,
        rule: str | None = None,
        bot_config: dict[str, Json] | None = None,
    ) -> Decision:
        notes = [detail, *self._mishaps(), *_hidden(self._case.facts)]
        return Decision(
            action=action,
            source=source,
            rule=rule,
            reason=reason,
            detail=" ".join(notes),
            bot_config=bot_config,
            errors=tuple(self._errors),
            trace=None if self._steps is None else tuple(self._steps),
        )

    def _mishaps(self) -> Iterator[str]:
        if self._errors:
            names = ", ".join(f"“{name}”" for name in self._errors)
            yield f"Passed over, because they needed more steps than a rule may take: {names}."


def _hidden(facts: Facts) -> Iterator[str]:
    if facts.guest_list_hidden:
        yield "The provider hides the guest list: what depends on it is unknown."
    if facts.visibility in {"private", "confidential"} and facts.title is None:
        yield f"The event is {facts.visibility}: its title and details are hidden."
