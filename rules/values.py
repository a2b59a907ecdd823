"""How JSON values count as true, convert and compare: as JavaScript does it, which JsonLogic is.

Two departures, both on purpose: whole numbers stay exact up to 1,023 bits instead of being rounded
to doubles, and text is counted in code points, not in UTF-16 halves.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias

from rules.budget import Fuel

Json: TypeAlias = Any
"""Any decoded JSON: None, bool, int, float, str, list, dict."""
Compare: TypeAlias = Callable[[Json, Json, Fuel], bool]

NAN: Final = math.nan
_EXACT: Final = 1 << 53
_WIDEST_INT: Final = 1 << 1023
_WIDEST_DIGITS: Final = 308
# What ECMAScript calls white space (StrWhiteSpaceChar); Python's own idea of it differs.
_WHITE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_DECIMAL: Final = r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_whole_decimal = re.compile(_DECIMAL).fullmatch
_leading_decimal = re.compile(_DECIMAL).match
_whole_radix = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)").fullmatch
# Where Number::toString turns to exponents.
_LARGEST_POINT: Final = 21
_SMALLEST_POINT: Final = -6


def truthy(value: Json) -> bool:
    """Tell whether a value counts as true: everything but null, false, 0, NaN, "" and []."""
    if value:
        return value.__class__ is not float or not math.isnan(value)
    return value.__class__ is dict


def settle(number: float) -> float:
    """Bring a computed number into the form in which JSON writes it: 2, not 2.0."""
    if isinstance(number, int):
        return number if -_WIDEST_INT < number < _WIDEST_INT else _infinite(number)
    return int(number) if -_EXACT <= number <= _EXACT and number == int(number) else number


def to_number(value: Json, fuel: Fuel) -> float:
    """Convert as ``Number(value)`` does."""
    kind = value.__class__
    if kind is int:
        return settle(value)
    if kind is float:
        return float(value)
    if kind is bool or value is None:
        return int(value or 0)
    return NAN if kind is dict else _number_of_text(to_text(value, fuel).strip(_WHITE))


def parse_float(value: Json, fuel: Fuel) -> float:
    """Convert as ``parseFloat(value)`` does: the number at the front of the text, or NaN."""
    kind = value.__class__
    if kind is int or kind is float:
        return to_number(value, fuel)
    if kind is not str and kind is not list:
        return NAN
    found = _leading_decimal(to_text(value, fuel).lstrip(_WHITE))
    return _decimal(found.group()) if found else NAN


def to_text(value: Json, fuel: Fuel) -> str:
    """Convert as ``String(value)`` does."""
    kind = value.__class__
    if kind is str:
        return str(value)
    if kind is list:
        return ",".join([to_piece(item, fuel) for item in value])
    if kind is int or kind is float:
        return number_to_text(value)
    if kind is bool:
        return "true" if value else "false"
    return "null" if value is None else "[object Object]"


def to_piece(value: Json, fuel: Fuel) -> str:
    """Convert as ``Array.prototype.join`` does: null is empty. The text is paid for."""
    text = "" if value is None else to_text(value, fuel)
    fuel.spend(1 + (len(text) >> 5))
    return text


def number_to_text(number: float) -> str:
    """Write a number as ECMAScript does (Number::toString in base ten)."""
    if isinstance(number, int):
        return str(settle(number)).replace("inf", "Infinity")
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else str(number).replace("inf", "Infinity")
    _, figures, exponent = Decimal(repr(number)).normalize().as_tuple()
    digits = "".join(map(str, figures))
    return ("-" if number < 0 else "") + _with_point(digits, len(digits) + int(exponent))


def _with_point(digits: str, point: int) -> str:
    """Set the decimal point after ``point`` digits, or write an exponent where that is far off."""
    if len(digits) <= point <= _LARGEST_POINT:
        return digits + "0" * (point - len(digits))
    if 0 < point <= _LARGEST_POINT:
        return f"{digits[:point]}.{digits[point:]}"
    if _SMALLEST_POINT < point <= 0:
        return f"0.{'0' * -point}{digits}"
    head = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{head}e{point - 1:+d}"


def _number_of_text(text: str) -> float:
    if not text:
        return 0
    if _whole_decimal(text):
        return _decimal(text)
    if len(text) <= _WIDEST_DIGITS and _whole_radix(text):
        return settle(int(text, 0))
    return NAN


def _decimal(text: str) -> float:
    # A longer run of digits is out of range anyway, and int() refuses very long ones.
    if len(text) <= _WIDEST_DIGITS and text.lstrip("+-").isdecimal():
        return int(text)
    return settle(float(text))


def _infinite(number: float) -> float:
    return math.inf if number > 0 else -math.inf
