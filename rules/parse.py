"""Untrusted JSON becomes a checked rule set, or faults that point at every place that is wrong."""

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import msgspec

from rules.aliases import with_known_providers
from rules.build import Builder
from rules.document import decode, refuse_unfit
from rules.facts import FACTS_KIND
from rules.faults import Fault, RuleSetInvalid, Where, did_you_mean, pointer, shown
from rules.part import Part, literal
from rules.values import Json
from rules.vocabulary import Scope

__all__ = ["Action", "Fault", "Rule", "RuleSet", "RuleSetInvalid", "decode_rule_set"]
__all__ += ["parse_policy", "parse_rule_set"]

Action: TypeAlias = Literal["record", "skip"]

MOST_RULES: Final = 100
DEEPEST: Final = 64
"""In operators and lists within one another; the list around an operator's arguments is free."""
MOST_NODES: Final = 2_000
"""In JSON values, for each rule's ``when``."""
LONGEST_NAME: Final = 200
_MOST_FAULTS: Final = 50
_SET_FIELDS: Final = ("default", "rules")
_RULE_FIELDS: Final = ("name", "action", "when", "bot_config")


class Rule(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One rule: where ``when`` counts as true, ``action`` is what happens."""

    name: str
    action: Action
    when: Part
    bot_config: dict[str, Json] | None = None


class RuleSet(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Rules in their order, checked and compiled; may be used any number of times."""

    rules: tuple[Rule, ...] = ()
    default: Action | None = None


def decode_rule_set(body: bytes) -> Json:
    """Decode a rule set's JSON text. Raises ``RuleSetInvalid``, as for names that stand twice."""
    return decode(body)


def parse_rule_set(document: object) -> RuleSet:
    """Check and compile ``{"default"?, "rules": [{"name", "action", "when", "bot_config"?}]}``.

    Raises ``RuleSetInvalid`` with all that is wrong.
    """
    return _parse(document, ("record", "skip"))


def parse_policy(document: object) -> RuleSet:
    """Check and compile a tenant's ``policy_rules``: a rule set, or its list of rules alone.

    They can only skip, and have no default. Raises ``RuleSetInvalid``.
    """
    return _parse(document, ("skip",))


def _parse(document: object, actions: tuple[Action, ...]) -> RuleSet:
    refuse_unfit(document)
    reader = _Reader(actions)
    rule_set = reader.rule_set(document)
    if reader.faults:
        raise RuleSetInvalid(tuple(dict.fromkeys(reader.faults))[:_MOST_FAULTS])
    return rule_set


class _Reader:
    """Reads one document, and gathers what is wrong with it."""

    def __init__(self, actions: tuple[Action, ...]) -> None:
        self.faults: list[Fault] = []
        self._actions = actions
        self._builder = Builder(self.faults)

    def rule_set(self, document: Json) -> RuleSet:
        if isinstance(document, list) and "record" not in self._actions:
            return RuleSet(rules=self._rules(document, None))
        if not isinstance(document, dict):
            self._complain(None, "a rule set is an object with `rules` and perhaps a `default`")
            return RuleSet()
        self._refuse_others(document, _SET_FIELDS, None)
        default = document.get("default")
        if default is not None:
            self._check_action(default, (None, "default"))
        if "rules" not in document:
            self._complain((None, "rules"), "`rules` is missing: a list of rules, perhaps empty")
        return RuleSet(
            rules=self._rules(document.get("rules", []), (None, "rules")), default=default
        )

    def _rules(self, listed: Json, where: Where) -> tuple[Rule, ...]:
        if not isinstance(listed, list):
            self._complain(where, "`rules` is a list")
            return ()
        if len(listed) > MOST_RULES:
            self._complain(where, f"these are {len(listed)} rules; at most {MOST_RULES} are taken")
            return ()
        read = [self._rule(rule, (where, at)) for at, rule in enumerate(listed)]
        return tuple(rule for rule in read if rule)

    def _rule(self, rule: Json, where: Where) -> Rule | None:
        if not isinstance(rule, dict):
            self._complain(where, "a rule is an object with `name`, `action` and `when`")
            return None
        self._refuse_others(rule, _RULE_FIELDS, where)
        for field in _RULE_FIELDS[:3]:
            if field not in rule:
                self._complain((where, field), f"`{field}` is missing")
        self._check_name(rule.get("name", "?"), (where, "name"))
        self._check_action(rule.get("action", "skip"), (where, "action"))
        config = rule.get("bot_config")
        if config is not None and not isinstance(config, dict):
            self._complain((where, "bot_config"), "`bot_config` is an object")
        when = self._condition(rule.get("when"), (where, "when"))
        if self.faults:
            return None
        return Rule(name=rule["name"], action=rule["action"], when=when, bot_config=config)

    def _condition(self, node: Json, where: Where) -> Part:
        fault = _oversize(node, where)
        if fault:
            self.faults.append(fault)
            return literal(None)
        return self._builder.build(with_known_providers(node), where, Scope(FACTS_KIND))

    def _check_name(self, name: Json, where: Where) -> None:
        if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
            self._complain(where, f"a name is a text of 1 to {LONGEST_NAME} characters")

    def _check_action(self, action: Json, where: Where) -> None:
        if action not in self._actions:
            wanted = " or ".join(f"`{each}`" for each in self._actions)
            meant = did_you_mean(action, self._actions) if isinstance(action, str) else ""
            self._complain(where, f"this is to be {wanted}{meant}")

    def _refuse_others(self, given: dict[str, Json], known: tuple[str, ...], where: Where) -> None:
        for field in given:
            if field not in known:
                meant = did_you_mean(field, known)
                self._complain((where, field), f"there is no field {shown(field)} here{meant}")

    def _complain(self, where: Where, detail: str) -> None:
        self.faults.append(Fault(pointer(where), detail))


def _oversize(node: Json, where: Where) -> Fault | None:
    """Find where an expression is too deep or has too many parts, without recursion."""
    waiting: list[tuple[Json, Where, int]] = [(node, where, 0)]
    seen = 0
    while waiting:
        value, place, depth = waiting.pop()
        seen += 1
        if seen > MOST_NODES:
            return Fault(pointer(where), f"a rule has at most {MOST_NODES:,} JSON values")
        if depth >= DEEPEST and isinstance(value, dict | list) and not _is_variable(value):
            return Fault(pointer(place), f"this is nested more than {DEEPEST} deep")
        waiting.extend(_within(value, place, depth))
    return None


def _is_variable(value: Json) -> bool:
    return isinstance(value, dict) and [*value] == ["var"]


def _within(value: Json, place: Where, depth: int) -> Iterator[tuple[Json, Where, int]]:
    """Give what stands in a value. A list of arguments is as deep as its operator."""
    if isinstance(value, dict):
        for key, inner in value.items():
            is_args = len(value) == 1 and isinstance(inner, list)
            yield inner, (place, key), depth if is_args else depth + 1
    elif isinstance(value, list):
        yield from ((inner, (place, at), depth + 1) for at, inner in enumerate(value))
