from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.deliveries.address_guard import Target, check_address, check_url
from meetbot_calendar.errors import Refused

PRIVATE = [
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.1.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "100::1",
    "5f00::1",
    "2001:db8::1",
    "2001:10::1",
    "3fff::1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
NEVER = [
    "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
    "0.1.2.3",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "192.0.0.192",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    check_address(address, allow_private=False)
    check_address(address, allow_private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_need_the_operators_leave(address: str) -> None:
    with pytest.raises(Refused):
        check_address(address, allow_private=False)

    check_address(address, allow_private=True)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [True, False])
def test_metadata_and_addresses_of_nobody_are_never_called(
    address: str, allow_private: bool
) -> None:
    with pytest.raises(Refused):
        check_address(address, allow_private=allow_private)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_the_standard_library_calls_private_is_never_called(
    address: IPv4Address | IPv6Address,
) -> None:
    special = address.is_private or address.is_multicast or address.is_reserved

    if special or address.is_loopback or address.is_link_local or address.is_unspecified:
        with pytest.raises(Refused):
            check_address(address, allow_private=False)


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:{}", "::{}", "64:ff9b::{}"]))
def test_no_disguise_makes_an_ipv4_address_callable(address: IPv4Address, disguise: str) -> None:
    with pytest.raises(Refused):
        check_address(disguise.format(address), allow_private=False)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a.example", Target(scheme="https", host="a.example", port=443, path="/")),
        (
            "HTTPS://A.Example:8443/x?y=1&z",
            Target(scheme="https", host="a.example", port=8443, path="/x?y=1&z"),
        ),
        ("https://8.8.8.8/", Target(scheme="https", host="8.8.8.8", port=443, path="/")),
        (
            "https://[2606:4700::1111]:443/h",
            Target(scheme="https", host="2606:4700::1111", port=443, path="/h"),
        ),
        (
            "https://xn--bcher-kva.example/@me",
            Target(scheme="https", host="xn--bcher-kva.example", port=443, path="/@me"),
        ),
    ],
)
def test_a_public_https_address_is_taken_apart(url: str, target: Target) -> None:
    assert check_url(url, allow_private=False) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/hook",
        "http://a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@a.example/",
        "https://user:pass@a.example/",
        "https://a.example#@b.example/",
        "https://a.example/#part",
        "https://a.example\\@b.example/",
        "https://a.example/ x",
        "https://a.exam\nple/",
        "https://a.example\x00/",
        "https://a.example:22/",
        "https://a.example:80/",
        "https://a.example:0/",
        "https://a.example:99999/",
        "https://a.example:x/",
        "https://a..example/",
        "https://a.example./",
        "https://-a.example/",
        "https://b\u00fccher.example/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://127.0.0.1/",
        "https://127.0.0.1./",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0x/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://127.0.0.0x1/",
        "https://127%2e0.0.1/",
        "https://1.2.3/",
        "https://8.8.8.8.8/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[v1.abc]/",
        "https://[::1",
        "https://localhost/",
        "https://redis/",
        "https://foo.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://169.254.169.254/latest/meta-data/",
        "https://a.example/" + "x" * 2048,
    ],
)
def test_an_address_that_is_odd_or_not_public_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(Refused) as raised:
        check_url(url, allow_private=False)

    assert raised.value.code == "address_refused"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/hook",
        "http://localhost/hook",
        "https://redis:6379/",
        "http://[::1]:9/x",
        "https://10.0.0.1:22/",
    ],
)
def test_the_operator_may_allow_private_addresses_and_plain_http(url: str) -> None:
    check_url(url, allow_private=True)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://0/", "http://2130706433/", "ftp://localhost/"]
)
def test_leave_for_private_addresses_does_not_reach_metadata_or_odd_spellings(url: str) -> None:
    with pytest.raises(Refused):
        check_url(url, allow_private=True)


@given(st.text(), st.booleans())
def test_any_text_is_taken_apart_or_refused(text: str, allow_private: bool) -> None:
    for url in (text, f"https://{text}", f"https://a.example{text}"):
        try:
            target = check_url(url, allow_private=allow_private)
        except Refused:
            continue
        assert target.host == target.host.lower()
        assert target.path.startswith("/")


@given(st.ip_addresses())
def test_a_literal_is_judged_as_the_address_it_is(address: IPv4Address | IPv6Address) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)

    try:
        check_address(address, allow_private=False)
    except Refused:
        with pytest.raises(Refused):
            check_url(f"https://{host}/", allow_private=False)
    else:
        target = check_url(f"https://{host}/", allow_private=False)
        assert ip_address(target.host) == address
