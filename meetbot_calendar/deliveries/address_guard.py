"""Which web addresses and network addresses we refuse to call on a tenant's word.

A name is judged twice: its spelling when it is registered, and what it resolves to whenever we
connect. Ranges are IANA's special-purpose registries (RFC 6890 and its updates), written out here
because the standard library's ``is_global`` differs between Python's patch releases.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import msgspec

from meetbot_calendar.errors import Refused

MAX_LENGTH = 2048

_PRIVATE_V4 = tuple(
    IPv4Network(block)
    for block in (
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays into 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
    )
)
_NEVER_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "100.100.100.200/32",  # Alibaba Cloud's metadata
        "168.63.129.16/32",  # Azure's host agent, in public space
        "169.254.169.254/32",  # metadata of most clouds
        "169.254.170.2/32",  # credentials of AWS containers
        "192.0.0.192/32",  # Oracle Cloud's metadata
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # Teredo, ORCHID, benchmarking and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
_NEVER_V6 = tuple(
    IPv6Network(block)
    for block in (
        "::/128",
        "64:ff9b:1::/48",  # translates to IPv4 addresses that only its own network can tell
        "2001::/32",  # Teredo, likewise
        "fd00:ec2::254/128",  # metadata of AWS
        "fd20:ce::254/128",  # and of Google Cloud
        "ff00::/8",
    )
)
_WITH_V4_AT_THE_END = tuple(
    IPv6Network(block) for block in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
_SIX_TO_FOUR = IPv6Network("2002::/16")
_LOOPBACK_V6 = IPv6Address("::1")

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\<>\"^`{|}]|[^\x00-\x7f]")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)  # the last label of an odd spelling of IPv4
_LOCAL_NAMES = ("localhost", "local", "internal", "localdomain", "lan", "home.arpa")
_FIRST_FREE_PORT = 1024


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A web address taken apart, as it will be called."""

    scheme: str
    host: str
    port: int
    path: str


def check_url(url: str, *, allow_private: bool) -> Target:
    """Take a web address apart, or raise ``Refused`` with a sentence that says what to change."""
    if len(url) > MAX_LENGTH or _UNSAFE.search(url):
        raise _refused(f"must be plain ASCII of at most {MAX_LENGTH} characters, without spaces")
    parts, port = _taken_apart(url)
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise _refused("must begin with https://")
    if "@" in parts.netloc or "#" in url:
        raise _refused("must not hold a user name, a password or a fragment")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if not allow_private and port != 443 and port < _FIRST_FREE_PORT:  # noqa: PLR2004 - https
        raise _refused("may name port 443 or one from 1024 on")
    host = parts.hostname or ""
    _check_host(host, bracketed="[" in parts.netloc, allow_private=allow_private)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path)


def check_address(address: str | IPv4Address | IPv6Address, *, allow_private: bool) -> None:
    """Return if we may connect to this network address; otherwise raise ``Refused``."""
    try:
        found = ip_address(address)
    except ValueError as error:
        raise _refused("does not lead to a network address") from error
    safe = (
        _is_safe_v4(found, allow_private)
        if isinstance(found, IPv4Address)
        else (_is_safe_v6(found, allow_private))
    )
    if not safe:
        raise _refused("leads to an address that is not public")


def _taken_apart(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("is not a web address") from error
    return parts, port


def _check_host(host: str, *, bracketed: bool, allow_private: bool) -> None:
    if bracketed:
        if "%" in host:
            raise _refused("must not name a network interface")
        check_address(host, allow_private=allow_private)
    elif _NUMBER.fullmatch(host.rpartition(".")[2]):
        check_address(host, allow_private=allow_private)  # only four plain decimals are read
    elif len(host) > 253 or not _NAME.fullmatch(host):  # noqa: PLR2004 - RFC 1035, section 2.3.4
        raise _refused("must name a host in ASCII (xn--… for others), with no dot at its end")
    elif not allow_private and _is_local_name(host):
        raise _refused("must name a public host")


def _is_local_name(host: str) -> bool:
    return "." not in host or any(host == n or host.endswith(f".{n}") for n in _LOCAL_NAMES)


def _is_safe_v4(address: IPv4Address, allow_private: bool) -> bool:
    if any(address in block for block in _NEVER_V4):
        return False
    return allow_private or not any(address in block for block in _PRIVATE_V4)


def _is_safe_v6(address: IPv6Address, allow_private: bool) -> bool:
    """Judge IPv6; forms that carry an IPv4 address are never public, and only as safe as it is."""
    plain = IPv6Address(int(address))  # without a zone: networks do not compare with one
    if any(plain in block for block in _NEVER_V6):
        return False
    if not allow_private:
        return plain in _PUBLIC_V6 and not any(plain in block for block in _SPECIAL_V6)
    carried = _carried_v4(plain)
    return carried is None or _is_safe_v4(carried, allow_private=True)


def _carried_v4(address: IPv6Address) -> IPv4Address | None:
    if address == _LOOPBACK_V6:
        return None
    if any(address in block for block in _WITH_V4_AT_THE_END):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return address.sixtofour
    return None


def _refused(detail: str) -> Refused:
    return Refused(f"The address {detail}.", code="address_refused")
