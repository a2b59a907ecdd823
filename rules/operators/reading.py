"""The operators that read the data: var, missing, missing_some."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from rules.budget import Fuel
from rules.kinds import ANY, OBJECT_FLAG, Kind
from rules.part import NOTHING, Args, Part, Run, filled
from rules.signature import ANYTHING, PATHS, operation
from rules.values import Json, to_number, to_text

Step: TypeAlias = tuple[str, int]
"""A name, and the place it means in a list or text (-1: none)."""

_ABSENT: Final = object()
_LENGTH: Final = "length"
_MOST_DIGITS: Final = 18


def steps_of(path: str) -> tuple[Step, ...]:
    """Cut a dotted path into names."""
    return tuple((name, _place(name)) for name in path.split("."))


def _place(name: str) -> int:
    """Read a list's index as JavaScript does: 7, but not 07, +7 or -1."""
    digits = name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS
    return int(name) if digits and (name == "0" or name[0] != "0") else -1


def look_up(data: Json, steps: Sequence[Step]) -> Json:
    """Follow a path down; gives a private mark where it leads nowhere."""
    for name, place in steps:
        if data.__class__ is dict:
            data = data.get(name, _ABSENT)
        elif data.__class__ is list or data.__class__ is str:
            if 0 <= place < len(data):
                data = data[place]
            else:
                data = len(data) if name == _LENGTH else _ABSENT
        else:
            return _ABSENT
    return data


def variable(args: Args, shape: Kind) -> Run:
    """Compile ``var`` for data of a known shape."""
    path, default = filled(args, 2, NOTHING)[:2]
    if not path.is_literal:
        return _computed(path.run, default.run)
    if path.value is None or path.value == "":
        return lambda data, _fuel: data
    steps = steps_of(to_text(path.value, Fuel(1_000_000)))
    if is_sure(shape, steps[0][0]):
        return _known(steps, default)
    if len(steps) > 1 or not default.is_literal or isinstance(default.value, list | dict):
        return _deep(steps, default.run)
    return _single(steps, default.value)


def is_sure(shape: Kind, name: str) -> bool:
    """Tell whether data of such a shape has a field for certain."""
    return shape.flags == OBJECT_FLAG and name in (shape.fields or ())


def _known(steps: tuple[Step, ...], default: Part) -> Run:
    """Read a field that is always there."""
    first = steps[0][0]
    if len(steps) == 1:
        return lambda data, _fuel: data[first]
    second = steps[1][0]
    rest, otherwise = steps[1:], default.run

    def run_two(data: Json, fuel: Fuel) -> Json:
        inner = data[first]
        if inner.__class__ is dict and second in inner:
            return inner[second]
        found = look_up(inner, rest)
        return otherwise(data, fuel) if found is _ABSENT else found

    def run(data: Json, fuel: Fuel) -> Json:
        found = look_up(data[first], rest)
        return otherwise(data, fuel) if found is _ABSENT else found

    return run_two if len(rest) == 1 else run


def _single(steps: tuple[Step, ...], otherwise: Json) -> Run:
    name = steps[0][0]

    def run(data: Json, _fuel: Fuel) -> Json:
        if data.__class__ is dict:
            return data.get(name, otherwise)
        found = look_up(data, steps)
        return otherwise if found is _ABSENT else found

    return run


def _deep(steps: tuple[Step, ...], otherwise: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        found = look_up(data, steps)
        return otherwise(data, fuel) if found is _ABSENT else found

    return run


def _computed(path: Run, otherwise: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        return _read(data, path(data, fuel), otherwise(data, fuel), fuel)

    return run


def _read(data: Json, path: Json, default: Json, fuel: Fuel) -> Json:
    if path is None or path == "":
        return data
    text = to_text(path, fuel)
    fuel.spend(1 + len(text))
    found = look_up(data, steps_of(text))
    return default if found is _ABSENT else found


@operation(
    "var",
    "A variable, by its dotted path; then what to give where it leads nowhere.",
    0,
    2,
    ANYTHING,
    reads=True,
)
def _var(args: Args) -> Run:
    return variable(args, ANY)


@operation(
    "missing", "Which of these variables are null or an empty text.", 1, None, PATHS, reads=True
)
def _missing(args: Args) -> Run:
    runs = tuple(part.run for part in args)

    def run(data: Json, fuel: Fuel) -> list[Json]:
        keys = [part(data, fuel) for part in runs]
        return _lacking(data, keys[0] if keys and isinstance(keys[0], list) else keys, fuel)

    return run


@operation(
    "missing_some", "The same, but nothing if so many of them are there.", 2, 2, PATHS, reads=True
)
def _missing_some(args: Args) -> Run:
    needed, paths = (part.run for part in filled(args, 2, NOTHING)[:2])

    def run(data: Json, fuel: Fuel) -> list[Json]:
        least, keys = needed(data, fuel), paths(data, fuel)
        listed = keys if isinstance(keys, list) else [keys]
        lacking = _lacking(data, listed, fuel)
        return [] if len(listed) - len(lacking) >= to_number(least, fuel) else lacking

    return run


def _lacking(data: Json, keys: list[Json], fuel: Fuel) -> list[Json]:
    fuel.spend(len(keys) * 4)
    return [key for key in keys if _value_at(data, key, fuel) in (None, "")]


def _value_at(data: Json, key: Json, fuel: Fuel) -> Json:
    # A list stands for the arguments of ``var``: a path and its default.
    if isinstance(key, list):
        path, default = (*key, None, None)[:2]
        return _read(data, path, default, fuel)
    return _read(data, key, None, fuel)
