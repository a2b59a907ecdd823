"""The operators on text: cat, substr, matches, starts_with, ends_with, lower, domain_of."""

import functools
import math
from collections.abc import Callable
from typing import Final

from rules import checks
from rules.budget import Fuel
from rules.kinds import TEXT_FLAG
from rules.part import NOTHING, Args, Part, Run, filled
from rules.pattern import Pattern, PatternRefused
from rules.signature import A_BOOL, A_TEXT, A_TEXT_OR_NULL, operation
from rules.values import Json, to_number, to_piece, to_text

_TEXTS: Final = checks.expects(TEXT_FLAG)


@functools.lru_cache(maxsize=64)
def _computed_pattern(text: str) -> Pattern:
    return Pattern(text)


@operation(
    "matches", "Whether a pattern (RE2 syntax) is found in a text.", 2, 2, A_BOOL, checks.matched
)
def _matches(args: Args) -> Run:
    text, pattern = filled(args, 2, NOTHING)[:2]
    if isinstance(pattern.value, str):
        return _matches_pattern(text.run, pattern.value)
    first, second = text.run, pattern.run

    def run(data: Json, fuel: Fuel) -> bool:
        subject, wanted = first(data, fuel), second(data, fuel)
        if not isinstance(subject, str) or not isinstance(wanted, str):
            return False
        fuel.spend(1_000 + 10 * len(wanted))
        return _computed_pattern(wanted).is_in(subject, fuel)

    return run


def _matches_pattern(text: Run, wanted: str) -> Run:
    try:
        pattern = Pattern(wanted)
    except PatternRefused as refusal:
        return _refusing(str(refusal))

    def run(data: Json, fuel: Fuel) -> bool:
        subject = text(data, fuel)
        return isinstance(subject, str) and pattern.is_in(subject, fuel)

    return run


def _refusing(why: str) -> Run:
    def run(_data: Json, _fuel: Fuel) -> Json:
        raise PatternRefused(why)

    return run


@operation("cat", "All arguments as one text.", 1, None, A_TEXT, checks.no_object)
def _cat(args: Args) -> Run:
    runs = tuple(part.run for part in args)

    def run(data: Json, fuel: Fuel) -> str:
        pieces = [to_piece(part(data, fuel), fuel) for part in runs]
        fuel.spend_on_text(sum(map(len, pieces)))
        return "".join(pieces)

    return run


@operation(
    "substr",
    "Part of a text: from where (negative: from its end), how much.",
    2,
    3,
    A_TEXT,
    checks.no_object,
)
def _substr(args: Args) -> Run:
    source, start = (part.run for part in filled(args, 2, NOTHING)[:2])
    length = args[2].run if len(args) > 2 else None  # noqa: PLR2004 - the third is optional

    def run(data: Json, fuel: Fuel) -> str:
        text = to_text(source(data, fuel), fuel)
        fuel.spend(len(text) >> 5)
        first = math.trunc(_within(start(data, fuel), fuel, len(text)))
        tail = text[first if first >= 0 else max(len(text) + first, 0) :]
        if length is None:
            return tail
        count = math.floor(_within(length(data, fuel), fuel, len(text)))
        return tail[:count] if count >= 0 else tail[: max(len(tail) + count, 0)]

    return run


def _within(value: Json, fuel: Fuel, limit: int) -> float:
    """Convert to a number that is no farther from 0 than is of use."""
    number = to_number(value, fuel)
    return 0 if math.isnan(number) else max(-limit - 1, min(number, limit + 1))


@operation("starts_with", "Whether a text begins with another.", 2, 2, A_BOOL, _TEXTS)
def _starts_with(args: Args) -> Run:
    return _text_test(args, str.startswith)


@operation("ends_with", "Whether a text ends with another.", 2, 2, A_BOOL, _TEXTS)
def _ends_with(args: Args) -> Run:
    return _text_test(args, str.endswith)


def _text_test(args: Args, test: Callable[[str, str], bool]) -> Run:
    first, second = (part.run for part in filled(args, 2, NOTHING)[:2])

    def run(data: Json, fuel: Fuel) -> bool:
        text, affix = first(data, fuel), second(data, fuel)
        return isinstance(text, str) and isinstance(affix, str) and test(text, affix)

    return run


@operation("lower", "The text in lower case.", 1, 1, A_TEXT_OR_NULL, _TEXTS)
def _lower(args: Args) -> Run:
    return _text_change(filled(args, 1, NOTHING)[0], str.lower)


@operation(
    "domain_of", "The domain of an email address, in lower case.", 1, 1, A_TEXT_OR_NULL, _TEXTS
)
def _domain_of(args: Args) -> Run:
    return _text_change(filled(args, 1, NOTHING)[0], domain_in)


def domain_in(address: str) -> str | None:
    """Give the domain of an email address, in lower case."""
    _, at, domain = address.rpartition("@")
    return (domain.strip().rstrip(">.").lower() or None) if at else None


def _text_change(part: Part, change: Callable[[str], str | None]) -> Run:
    source = part.run

    def run(data: Json, fuel: Fuel) -> str | None:
        text = source(data, fuel)
        if not isinstance(text, str):
            return None
        fuel.spend(len(text) >> 5)
        return change(text)

    return run
