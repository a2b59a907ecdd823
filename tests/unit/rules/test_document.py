from typing import Any

import pytest

from rules.parse import Fault, RuleSetInvalid, decode_rule_set


def faults(body: bytes) -> tuple[Fault, ...]:
    with pytest.raises(RuleSetInvalid) as refusal:
        decode_rule_set(body)
    return refusal.value.faults


def test_a_document_is_decoded_as_it_stands() -> None:
    document: Any = decode_rule_set(b' {"rules": [], "default": "skip", "x": [1, 1.5, null]} ')

    assert document == {"rules": [], "default": "skip", "x": [1, 1.5, None]}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"a": 1, "a": 1}', Fault("/a", "this name stands twice")),
        (
            b'{"rules": [{"when": {"and": [1], "and": [2]}}]}',
            Fault("/rules/0/when/and", "this name stands twice"),
        ),
        (b'{"a/~": {"x": 1, "x": 2}}', Fault("/a~1~0/x", "this name stands twice")),
        (b'{"a": NaN}', Fault("/a", "nan is no JSON number")),
        (b"[0, -Infinity]", Fault("/1", "-inf is no JSON number")),
        (b"[1e999]", Fault("/0", "inf is no JSON number")),
        (b'["\\ud83d"]', Fault("/0", "a text may not hold half a surrogate pair")),
        (b'{"a\\u0000": 1}', Fault("", "a text may not hold the character U+0000")),
        (b"x" * 65_537, Fault("", "the document is larger than 64 KiB")),
    ],
)
def test_what_json_libraries_let_through_is_refused_where_it_stands(
    body: bytes, fault: Fault
) -> None:
    assert faults(body) == (fault,)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{'a': 1}", b'{"a": 1,}', b"\xff", b"\xef\xbb\xbf{}", b"1" * 5_000]
)
def test_what_is_not_json_is_refused_in_words(body: bytes) -> None:
    (fault,) = faults(body)

    assert fault.pointer == ""
    assert fault.detail.startswith("this is not JSON: ")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"[" * 65_000, "/0" * 160),
        (b"[1, " * 16_000, "/1" * 160),
        (b'{"a":' * 13_000, "/a" * 160),
        (b'{"x": "[[[[\\"", "a": ' * 3_000, "/a" * 160),
    ],
)
def test_nesting_without_end_is_refused_with_its_place(body: bytes, pointer: str) -> None:
    assert faults(body) == (Fault(pointer, "the document is nested too deeply"),)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "body",
    [
        b'["' + b'\\"' * 32_000,
        b'"' * 65_000,
        b"\\" * 65_000,
        b'["' + b"\\" * 65_001,
        b"{" + b",".join(b'"a": 1' for _ in range(9_000)) + b"}",
        b"{" + b",".join(b'"%d": 1' % number for number in range(6_000)) + b"}" * 2,
    ],
)
def test_a_hostile_document_is_refused_in_no_time(body: bytes) -> None:
    assert faults(body)
