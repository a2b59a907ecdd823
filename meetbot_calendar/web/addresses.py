"""From where a request comes: the peer, or whom a trusted proxy names.

``X-Forwarded-For`` is believed from the right, as far as the hops are our own proxies; what a
client writes into it itself stands further left and is never reached.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Any

from litestar import Request
from litestar.types import HTTPScope

Network = IPv4Network | IPv6Network

UNKNOWN = "unknown"
_FORWARDED = b"x-forwarded-for"
_SITE = 64  # an IPv6 customer has a whole network to knock from


def asked_from(request: Request[Any, Any, Any], proxies: Iterable[str]) -> str:
    """Return the name under which a request's client is counted."""
    return site_of(client_of(request.scope, tuple(map(ip_network, proxies))))


def client_of(scope: HTTPScope, proxies: tuple[Network, ...]) -> str:
    """Return the client's address."""
    peer = scope["client"][0] if scope["client"] else UNKNOWN
    hops = [peer, *reversed(_forwarded(scope))]
    for hop, further in pairwise(hops):
        if not _is_ours(hop, proxies) or _read(further) is None:
            return hop
    return hops[-1]


def site_of(address: str) -> str:
    """Return the name under which an address is counted: itself, or its IPv6 network."""
    read = _read(address)
    if not isinstance(read, IPv6Address):
        return address if read is None else str(read)
    return str(ip_network((read, _SITE), strict=False))


def _forwarded(scope: HTTPScope) -> list[str]:
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED]
    return [hop.strip() for line in given for hop in line.split(",")]


def _is_ours(hop: str, proxies: tuple[Network, ...]) -> bool:
    read = _read(hop)
    return read is not None and any(read in network for network in proxies)


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address: without its zone, and as IPv4 where it only wears the newer dress."""
    try:
        read = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(read, "ipv4_mapped", None) or read
