from typing import Any

import pytest

from rules import evaluate
from rules.language import OPERATORS, OUR_OWN, reference

JSON_LOGIC = {
    *("var", "missing", "missing_some", "if", "?:", "==", "===", "!=", "!==", "!", "!!", "or"),
    *("and", ">", ">=", "<", "<=", "max", "min", "+", "-", "*", "/", "%", "map", "reduce"),
    *("filter", "all", "none", "some", "merge", "in", "cat", "substr", "log"),
}


def test_the_language_is_json_logic_and_eight_operators_of_ours() -> None:
    assert set(OPERATORS) == JSON_LOGIC | OUR_OWN
    assert len(OUR_OWN) == 8


def test_the_reference_names_every_operator() -> None:
    assert all(f"| `{name}`" in reference() for name in OPERATORS)


@pytest.mark.parametrize(
    ("logic", "expected"),
    [
        ({"matches": ["Daily Stand-Up", "(?i)stand-?up"]}, True),
        ({"matches": ["Daily", "^aily"]}, False),
        ({"matches": ["Übung für alle", "für"]}, True),
        ({"matches": ["", ""]}, True),
        ({"matches": [None, ""]}, False),
        ({"matches": [5, "5"]}, False),
        ({"matches": [["a"], "a"]}, False),
        ({"starts_with": ["Weekly sync", "Weekly"]}, True),
        ({"starts_with": ["Weekly sync", "weekly"]}, False),
        ({"starts_with": [None, ""]}, False),
        ({"starts_with": ["5", 5]}, False),
        ({"ends_with": ["a@eu.acme.com", ".acme.com"]}, True),
        ({"ends_with": ["", "x"]}, False),
        ({"lower": "ÄBC"}, "äbc"),
        ({"lower": [None]}, None),
        ({"lower": [5]}, None),
        ({"domain_of": "Ann@EU.Acme.com"}, "eu.acme.com"),
        ({"domain_of": ["Ann <ann@acme.com>"]}, "acme.com"),
        ({"domain_of": ["no address"]}, None),
        ({"domain_of": ["ann@"]}, None),
        ({"domain_of": [None]}, None),
        ({"intersects": [["a", "b"], ["b", "c"]]}, True),
        ({"intersects": [["a"], ["b"]]}, False),
        ({"intersects": [[], []]}, False),
        ({"intersects": [[1], [True]]}, False),
        ({"intersects": [[1, None], ["1", 1.0]]}, True),
        ({"intersects": [None, ["a"]]}, False),
        ({"intersects": ["a", ["a"]]}, False),
        ({"intersects": [["a"], {"merge": [["b"], [["a"]], {"var": "none"}]}]}, False),
        ({"count": [["a", "b"]]}, 2),
        ({"count": {"merge": []}}, 0),
        ({"count": [None]}, None),
        ({"count": ["text"]}, None),
        ({"between": [9, 9, 17]}, True),
        ({"between": [17, 9, 17]}, True),
        ({"between": [8.5, 9, 17]}, False),
        ({"between": ["b", "a", "c"]}, True),
        ({"between": [None, 0, 9]}, False),
        ({"between": [0, None, 9]}, False),
        ({"between": [5, 9, 1]}, False),
    ],
)
def test_our_own_operators_do_what_their_sentence_says(logic: Any, expected: Any) -> None:
    assert evaluate(logic) == expected


@pytest.mark.parametrize(
    ("logic", "data", "expected"),
    [
        ({"intersects": [{"var": "a"}, {"var": "b"}]}, {"a": [[1], "x"], "b": ["x", {}]}, True),
        ({"intersects": [["x"], {"var": "b"}]}, {"b": [{}, []]}, False),
        ({"intersects": [{"var": "a"}, {"var": "a"}]}, {"a": [[1]]}, True),
        ({"in": [{"var": "x"}, ["a", "b"]]}, {"x": "b"}, True),
        ({"in": [{"var": "x"}, ["a", "b"]]}, {"x": ["b"]}, False),
        ({"in": [{"var": "x"}, [1, 2, 3]]}, {"x": 2.0}, True),
        ({"in": [{"var": "x"}, [1, 2, 3]]}, {"x": True}, False),
        ({"in": ["b", {"var": "x"}]}, {"x": "abc"}, True),
        ({"in": ["b", {"var": "x"}]}, {"x": 5}, False),
        ({"in": ["b", {"var": "x"}]}, [1], False),
        ({"==": [{"var": "x"}, "5"]}, {"x": 5}, True),
        ({"==": [{"var": "x"}, 5]}, {"x": "5"}, True),
        ({"==": [{"var": "x"}, 5]}, "text", False),
        ({">": [{"var": "x"}, 5]}, {"x": "50"}, True),
        ({"matches": [{"var": "x"}, {"var": "y"}]}, {"x": "aab", "y": "a+b$"}, True),
        ({"matches": [{"var": "x"}, {"var": "y"}]}, {"x": "aab", "y": None}, False),
    ],
)
def test_literals_and_data_of_any_sort_meet_as_the_language_says(
    logic: Any, data: Any, expected: Any
) -> None:
    assert evaluate(logic, data) is expected
