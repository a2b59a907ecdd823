import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tenants.secrets.envelope import (
    Binding,
    CannotOpen,
    key_number,
    new_data_key,
    open_sealed,
    seal,
)

KEY = bytes(range(32))
HERE = Binding(tenant_id="ten_1", purpose="content", row_id="evt_1")

keys = st.binary(min_size=32, max_size=32)
numbers = st.integers(0, 2**32 - 1)
bindings = st.builds(Binding, tenant_id=st.text(), purpose=st.text(), row_id=st.text())


@given(key=keys, number=numbers, binding=bindings, data=st.binary())
def test_what_was_sealed_opens_to_the_same(
    key: bytes, number: int, binding: Binding, data: bytes
) -> None:
    blob = seal(key, number, binding, data)

    assert key_number(blob) == number
    assert open_sealed(key, binding, blob) == data


@given(here=bindings, there=bindings, data=st.binary())
def test_sealed_bytes_do_not_open_under_another_tenant_purpose_or_row(
    here: Binding, there: Binding, data: bytes
) -> None:
    assume(here != there)

    with pytest.raises(CannotOpen):
        open_sealed(KEY, there, seal(KEY, 1, here, data))


@pytest.mark.parametrize("moved", ["tenant_id", "purpose", "row_id"])
def test_each_part_of_the_binding_counts(moved: str) -> None:
    there = msgspec.structs.replace(HERE, **{moved: "other"})

    with pytest.raises(CannotOpen):
        open_sealed(KEY, there, seal(KEY, 1, HERE, b"data"))


def test_a_binding_cannot_be_shifted_over_its_seams() -> None:
    here = Binding(tenant_id="ten_1", purpose="a", row_id="bc")
    there = Binding(tenant_id="ten_1", purpose="ab", row_id="c")

    with pytest.raises(CannotOpen):
        open_sealed(KEY, there, seal(KEY, 1, here, b"data"))


@given(data=st.binary(), position=st.integers(0))
def test_a_flipped_bit_anywhere_keeps_it_shut(data: bytes, position: int) -> None:
    blob = bytearray(seal(KEY, 7, HERE, data))
    position %= len(blob) * 8
    blob[position // 8] ^= 1 << position % 8

    with pytest.raises(CannotOpen):
        open_sealed(KEY, HERE, bytes(blob))


@given(st.binary(max_size=100))
def test_any_other_bytes_do_not_open(blob: bytes) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(KEY, HERE, blob)


@given(keys, keys)
def test_another_key_does_not_open(key: bytes, other: bytes) -> None:
    assume(key != other)

    with pytest.raises(CannotOpen):
        open_sealed(other, HERE, seal(key, 1, HERE, b"data"))


@given(st.integers(0, 32))
def test_a_cut_blob_has_no_key_number_or_does_not_open(length: int) -> None:
    blob = seal(KEY, 1, HERE, b"")[:length]

    with pytest.raises(CannotOpen):
        open_sealed(KEY, HERE, blob)


def test_sealing_twice_never_gives_the_same_bytes() -> None:
    assert seal(KEY, 1, HERE, b"data") != seal(KEY, 1, HERE, b"data")


def test_the_format_is_fixed_for_good() -> None:
    blob = seal(KEY, 7, HERE, b"data", nonce=bytes(12))

    header, nonce = "0100000007", "00" * 12
    assert blob.hex() == header + nonce + "6addc1bf203ec8fb465355e88eff15a4b2e12f7d"


def test_data_keys_are_256_random_bits() -> None:
    first, second = new_data_key(), new_data_key()

    assert (len(first), len(second)) == (32, 32)
    assert first != second
