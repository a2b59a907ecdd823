"""Bodies become structs, or faults with pointers."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.errors import Fault, Invalid, Refused
from meetbot_calendar.web.bodies import decode


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    count: int = 0
    notes: dict[str, list[int]] = {}


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inners: list[Inner] = []
    at: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b'{"name": 1}', [Fault("/name", "Expected `str`, got `int`")]),
        (b"{}", [Fault("/name", "This field is missing.")]),
        (b"[]", [Fault("", "Expected `object`, got `array`")]),
        (b'{"name": "a", "x/y": 1}', [Fault("/x~1y", "There is no such field.")]),
        (
            b'{"name": "a", "inners": [{}, {"count": "1"}]}',
            [Fault("/inners/1/count", "Expected `int`, got `str`")],
        ),
        (
            b'{"name": "a", "inners": [{"more": 1}]}',
            [Fault("/inners/0/more", "There is no such field.")],
        ),
        (
            b'{"name": "a", "at": {"here": {"count": null}}}',
            [Fault("/at", "Expected `int`, got `null`")],
        ),
    ],
)
def test_each_fault_has_its_place(body: bytes, faults: list[Fault]) -> None:
    with pytest.raises(Invalid) as refused:
        decode(body, Outer)

    assert list(refused.value.faults) == faults


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_json_is_taken_or_refused_and_never_more(value: object) -> None:
    body = msgspec.json.encode(value)

    with contextlib.suppress(Refused):
        decode(body, Outer)


@given(st.binary())
def test_any_bytes_are_taken_or_refused_and_never_more(body: bytes) -> None:
    with contextlib.suppress(Refused):
        decode(body, Outer)


def test_what_could_not_be_kept_is_refused_with_its_place() -> None:
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    body = msgspec.json.encode({"a/b": 2**64, "c": [0, -(2**63) - 1], "d": deep, "e": 2**64 - 1})

    with pytest.raises(Invalid) as refused:
        decode(body, dict)

    pointers = {fault.pointer for fault in refused.value.faults}
    assert {"/a~1b", "/c/1"} < pointers
    assert len(pointers) == 3
