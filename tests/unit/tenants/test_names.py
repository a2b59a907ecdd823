"""Names that are found without being opened: alike where they should be, and nowhere else."""

import pytest

from tenants.identity import TenantId
from tenants.secrets.ciphers import TenantCipher
from tenants.secrets.envelope import new_data_key
from tenants.secrets.key_provider import KeyServiceDown, TenantKey

ACME = TenantKey(TenantId("ten_acme"), "content")
OTHER = TenantKey(TenantId("ten_other"), "content")


def test_a_name_is_the_same_for_the_same_tenant_kind_and_value_alone() -> None:
    key = new_data_key()
    cipher = TenantCipher(ACME, {1: bytearray(key)}, 1)
    other = TenantCipher(OTHER, {1: bytearray(key)}, 1)

    names = [
        cipher.name("account", "ann@acme.example"),
        cipher.name("account", "bob@acme.example"),
        cipher.name("calendar", "ann@acme.example"),
        other.name("account", "ann@acme.example"),
        TenantCipher(ACME, {1: new_data_key()}, 1).name("account", "ann@acme.example"),
    ]

    assert names[0] == cipher.name("account", "ann@acme.example")
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {40}
    assert "ann" not in "".join(names)


def test_a_name_stays_when_a_new_data_key_seals() -> None:
    first = new_data_key()
    before = TenantCipher(ACME, {1: bytearray(first)}, 1)

    after = TenantCipher(ACME, {2: new_data_key(), 1: bytearray(first)}, 2)

    assert after.name("account", "a") == before.name("account", "a")


def test_a_wiped_cipher_names_nothing() -> None:
    cipher = TenantCipher(ACME, {1: new_data_key()}, 1)

    cipher.wipe()

    with pytest.raises(KeyServiceDown):
        cipher.name("account", "a")
