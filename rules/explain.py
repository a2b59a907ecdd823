"""Which variables decided an expression's value, and what they held."""

import json
from typing import Final

from rules.budget import Fuel
from rules.part import Part
from rules.values import Json, truthy

_MOST_ITEMS: Final = 5
_LONGEST: Final = 80


def deciding(part: Part, data: Json, fuel: Fuel) -> dict[str, Json]:
    """Give the variables, with their values, of the branches that made the value what it is.

    Of ``or`` that is the argument that held, of ``and`` the one that did not. What is read within
    a loop belongs to its items, so there the list counts.
    """
    if part.op == "var":
        path = part.args[0].value if part.args else ""
        return {path or "event": part.run(data, fuel)} if part.args and path else {}
    found: dict[str, Json] = {}
    for argument in _decisive(part, data, fuel):
        found.update(deciding(argument, data, fuel))
    return found


def _decisive(part: Part, data: Json, fuel: Fuel) -> tuple[Part, ...]:
    if part.op in {"and", "or"}:
        return _until(part, data, fuel, stop_at=part.op == "or")
    if part.op in {"if", "?:"}:
        return _taken(part, data, fuel)
    if part.op in {"filter", "map", "all", "some", "none", "reduce"}:
        return part.args[:1]
    return part.args


def _until(part: Part, data: Json, fuel: Fuel, *, stop_at: bool) -> tuple[Part, ...]:
    for argument in part.args:
        fuel.spend(argument.cost)
        if truthy(argument.run(data, fuel)) is stop_at:
            return (argument,)
    return part.args


def _taken(part: Part, data: Json, fuel: Fuel) -> tuple[Part, ...]:
    conditions: list[Part] = []
    for at in range(0, len(part.args) - 1, 2):
        conditions.append(part.args[at])
        fuel.spend(part.args[at].cost)
        if truthy(part.args[at].run(data, fuel)):
            return (*conditions, part.args[at + 1])
    return (*conditions, *part.args[len(conditions) * 2 :])


def in_words(values: dict[str, Json]) -> str:
    """Write variables and their values as part of a sentence."""
    return ", ".join(f"{path} is {_in_short(value)}" for path, value in values.items())


def _in_short(value: Json) -> str:
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return f"a list of {len(value)}"
    rest = ""
    if isinstance(value, list) and len(value) > _MOST_ITEMS:
        rest = f" and {len(value) - _MOST_ITEMS} more"
        value = value[:_MOST_ITEMS]
    text = json.dumps(value, ensure_ascii=False)
    return (text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…") + rest
