import math

import pytest

from rules.budget import Fuel
from rules.values import number_to_text, parse_float, to_number, to_text, truthy

FUEL = Fuel(1_000_000)


# What Node.js answers to String(x).
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (100.0, "100"),
        (1.5, "1.5"),
        (0.1, "0.1"),
        (12345.678, "12345.678"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.5e22, "1.5e+22"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (-1.5e-9, "-1.5e-9"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        (10**400, "Infinity"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(number: float, text: str) -> None:
    assert number_to_text(number) == text


# What Node.js answers to Number(x) and parseFloat(x); None stands for NaN.
@pytest.mark.parametrize(
    ("text", "number", "front"),
    [
        ("", 0, None),
        (" \t\n", 0, None),
        ("12", 12, 12),
        ("+1.5e3", 1500, 1500),
        (".5", 0.5, 0.5),
        ("1.", 1, 1),
        ("0x1f", 31, 0),
        ("0b11", 3, 0),
        ("-0x1", None, 0),
        ("1_000", None, 1),
        ("12abc", None, 12),
        ("1e", None, 1),
        ("1e999", math.inf, math.inf),
        ("-Infinity", -math.inf, -math.inf),
        ("inf", None, None),
        ("nan", None, None),
        ("\ufeff12\u00a0", 12, 12),
        ("\x1c4", None, None),
        ("٣", None, None),
        ("9" * 400, math.inf, math.inf),
        ("0x" + "f" * 400, None, 0),
    ],
)
def test_text_is_read_as_javascript_reads_it(
    text: str, number: float | None, front: float | None
) -> None:
    read = [to_number(text, FUEL), parse_float(text, FUEL)]

    assert [None if math.isnan(each) else each for each in read] == [number, front]


@pytest.mark.parametrize(
    ("value", "number"),
    [(None, 0), (True, 1), (False, 0), ([], 0), ([7], 7), (["8"], 8), ([1, 2], None), ({}, None)],
)
def test_other_values_convert_to_numbers_as_in_javascript(
    value: object, number: float | None
) -> None:
    got = to_number(value, FUEL)

    assert (None if math.isnan(got) else got) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ([1, [2, [None, 3]], "x"], "1,2,,3,x"),
        ([None], ""),
        ({"a": 1}, "[object Object]"),
    ],
)
def test_other_values_convert_to_text_as_in_javascript(value: object, text: str) -> None:
    assert to_text(value, FUEL) == text


@pytest.mark.parametrize("value", [True, 1, -0.5, "0", "false", [0], {}, {"a": 1}, math.inf])
def test_these_values_count_as_true(value: object) -> None:
    assert truthy(value) is True


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], math.nan])
def test_these_values_count_as_false(value: object) -> None:
    assert truthy(value) is False
