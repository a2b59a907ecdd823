import json
from typing import Any

import pytest

from rules import evaluate
from rules.budget import OutOfBudget
from rules.language import UnknownOperator
from rules.pattern import PatternRefused
from tests.recorded import recorded


def test_every_published_case_gives_the_published_result() -> None:
    cases = json.loads(recorded("jsonlogic_official.json").read_bytes())["cases"]

    wrong = [
        (logic, data, expected, evaluate(logic, data))
        for logic, data, expected in cases
        if json.dumps(evaluate(logic, data)) != json.dumps(expected)
    ]

    assert len(cases) == 275
    assert wrong == []


# What the published suite leaves open is what the reference implementation does in JavaScript.
@pytest.mark.parametrize(
    ("logic", "data", "expected"),
    [
        ({"==": [None, 0]}, None, False),
        ({"==": [None, False]}, None, False),
        ({"==": ["", 0]}, None, True),
        ({"==": [[], False]}, None, True),
        ({"==": [[1], 1]}, None, True),
        ({"==": [[1, 2], "1,2"]}, None, True),
        ({"==": [[1], [1]]}, None, False),
        ({"==": [{"var": "a"}, {"var": "a"}]}, {"a": [1]}, True),
        ({"===": [1, True]}, None, False),
        ({"===": [1, 1.0]}, None, True),
        ({"===": []}, None, True),
        ({"===": [None]}, None, False),
        ({"<": [None, 1]}, None, True),
        ({"<": ["10", "9"]}, None, True),
        ({"<": ["a", 1]}, None, False),
        ({"<=": [None, None]}, None, True),
        ({"<": [1, 2, None]}, None, False),
        ({">": [3, 2, 9]}, None, True),
        ({">": [1]}, None, False),
        ({"+": ["1abc", 1]}, None, 2),
        ({"+": [" 7 ", "0x10"]}, None, 7),
        ({"-": ["0x10"]}, None, -16),
        ({"-": [None]}, None, 0),
        ({"%": [-1, 2]}, None, -1),
        ({"%": [5.5, 2]}, None, 1.5),
        ({"max": []}, None, float("-inf")),
        ({"min": ["3", 2, None]}, None, 0),
        ({"/": [1, 0]}, None, float("inf")),
        ({"/": [-1, 0]}, None, float("-inf")),
        ({"*": []}, None, 1),
        ({"*": ["2"]}, None, 2),
        (
            {"cat": [None, True, 1.0, [1, [2, None]], {"a": 1, "b": 2}]},
            None,
            "true11,2,[object Object]",
        ),
        ({"cat": [1e21, " ", 1e-7, " ", 0.1]}, None, "1e+21 1e-7 0.1"),
        ({"in": ["", ""]}, None, False),
        ({"in": [1, "a1"]}, None, True),
        ({"in": [1, [True]]}, None, False),
        ({"in": [True, [1]]}, None, False),
        ({"in": [None, [None]]}, None, True),
        ({"in": [[1], [[1]]]}, None, False),
        ({"in": ["a", {"a": 1, "b": 2}]}, None, False),
        ({"in": ["a"]}, None, False),
        ({"substr": ["jsonlogic", "-5"]}, None, "logic"),
        ({"substr": ["jsonlogic", 2, None]}, None, ""),
        ({"substr": [12345, 1, 2]}, None, "23"),
        ({"substr": ["abc", 0, -9]}, None, ""),
        ({"var": ["a", 1]}, {"a": None}, None),
        ({"var": "a.length"}, {"a": [1, 2]}, 2),
        ({"var": "a.1"}, {"a": "xyz"}, "y"),
        ({"var": "a.-1"}, {"a": [1, 2]}, None),
        ({"var": "a.01"}, {"a": [1, 2]}, None),
        ({"var": ["a.b", {"cat": ["de", "fault"]}]}, {"a": 1}, "default"),
        ({"var": ""}, 0, 0),
        ({"var": [[]]}, {"": 5}, 5),
        ({"missing": ["a", ["b", "there"]]}, {}, ["a"]),
        ({"missing_some": ["1", {"merge": ["a", "b"]}]}, {"b": 0}, []),
        ({"and": []}, None, None),
        ({"!": []}, None, True),
        ({"!!": {}}, None, True),
        ({"if": [{}, "objects are true", "no"]}, None, "objects are true"),
        ({"filter": ["text", True]}, None, []),
        ({"map": [[1, 2]]}, None, [None, None]),
        ({"all": [[1]]}, None, False),
        ({"none": ["text", True]}, None, True),
        ({"reduce": [[], {"var": "current"}, {"var": "start"}]}, {"start": 3}, 3),
        ({"reduce": ["text", {"var": "current"}]}, None, None),
        ({"log": ["said"]}, None, "said"),
        ({"a": 1, "b": 2}, None, {"a": 1, "b": 2}),
        ([{"var": "a"}, [{"+": [1, 1]}]], {"a": 1}, [1, [2]]),
        ({}, None, {}),
    ],
)
def test_what_the_suite_leaves_open_is_as_in_javascript(
    logic: Any, data: Any, expected: Any
) -> None:
    assert evaluate(logic, data) == expected


@pytest.mark.parametrize("logic", [{"+": [True, 1]}, {"+": [None]}, {"/": [0, 0]}, {"%": [1, 0]}])
def test_what_has_no_number_is_nan_and_counts_as_false(logic: Any) -> None:
    value = evaluate(logic)

    assert value != value  # noqa: PLR0124 - only NaN does that
    assert evaluate({"if": [logic, "true", "false"]}) == "false"


def test_whole_numbers_stay_exact_where_javascript_would_round() -> None:
    assert evaluate({"+": [2**60, 1]}) == 2**60 + 1
    assert evaluate({"%": [10**30 + 7, 10]}) == 7


def test_numbers_beyond_all_doubles_are_infinite() -> None:
    assert evaluate({"*": [{"var": "huge"}, {"var": "huge"}]}, {"huge": 10**400}) == float("inf")
    assert evaluate({"-": [{"var": "huge"}]}, {"huge": 10**400}) == float("-inf")


def test_an_unknown_operator_matters_only_where_it_is_reached() -> None:
    assert evaluate({"if": [False, {"nonsense": 1}, "fine"]}) == "fine"

    with pytest.raises(UnknownOperator, match="nonsense"):
        evaluate({"nonsense": 1})


def test_a_refused_pattern_is_an_error_of_its_own() -> None:
    with pytest.raises(PatternRefused):
        evaluate({"matches": ["text", "("]})
    with pytest.raises(PatternRefused):
        evaluate({"matches": ["text", {"var": "pattern"}]}, {"pattern": "(?=look)"})


def test_logic_that_is_changed_in_place_is_evaluated_as_it_now_is() -> None:
    logic: Any = {"===": [{"var": "a"}, 1]}
    before = evaluate(logic, {"a": 1})

    logic["==="][1] = True

    assert (before, evaluate(logic, {"a": 1})) == (True, False)


def test_what_is_handed_out_is_never_shared_with_later_calls() -> None:
    logic: Any = {"if": [{"var": "a"}, [1, [2]], {"x": [1], "y": 2}]}
    for data in ({"a": True}, {"a": False}):
        given = evaluate(logic, data)
        given.clear()

    assert evaluate(logic, {"a": True}) == [1, [2]]
    assert evaluate(logic, {"a": False}) == {"x": [1], "y": 2}


def test_text_with_half_a_surrogate_pair_is_still_evaluated() -> None:
    assert evaluate({"cat": ["\ud800", "x"]}) == "\ud800x"
    assert evaluate({"matches": [{"var": "t"}, "x"]}, {"t": "\ud800x"}) is True


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_nesting_without_end_is_out_of_budget_and_no_crash(depth: int) -> None:
    logic: Any = True
    for _ in range(depth):
        logic = {"!": [logic]}

    with pytest.raises(OutOfBudget):
        evaluate(logic)


def test_data_of_any_depth_can_be_written_as_text_or_is_out_of_budget() -> None:
    data: Any = "core"
    for _ in range(5_000):
        data = [data]

    with pytest.raises(OutOfBudget):
        evaluate({"cat": [{"var": ""}, "!"]}, data)


def test_very_many_and_very_large_expressions_are_evaluated_too() -> None:
    sums = [evaluate({"+": [number, 1]}) for number in range(1_200)]
    large = evaluate({"in": ["last", [str(number) for number in range(20_000)] + ["last"]]})

    assert sums == list(range(1, 1_201))
    assert large is True
