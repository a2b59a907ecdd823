"""Reads a web address strictly: whatever could make its host look like another's is no address."""

import re
from urllib.parse import unquote

import msgspec

_ADDRESS = re.compile(
    r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL
)

_BLANK = re.compile(r"[\x00-\x20\x7f]")

# Letters, digits, dots: no userinfo, no escapes, no backslash, no raw address, no other script.
_HOST = re.compile(r"((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24})\.?(?::(\d{1,5}))?")
_PORTS = {"http": "80", "https": "443"}

_MOST_PARAMETERS = 64


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an address that say where it leads.

    ``host`` is lower case; ``segments`` are those of the path, still escaped, empty ones left out;
    ``query`` has lower-case names and decoded values, the first of each name.
    """

    host: str
    segments: tuple[str, ...]
    query: dict[str, str]
    fragment: str


def parse_address(url: str) -> Address | None:
    """Read an absolute http address; None where it is not plainly one."""
    match = _ADDRESS.fullmatch(url)
    if match is None or _BLANK.search(url):
        return None
    scheme, authority, path, query, fragment = match.groups()
    host = _HOST.fullmatch(authority.lower())
    if host is None or "xn--" in host[1] or host[2] not in {None, _PORTS[scheme.lower()]}:
        return None
    return Address(
        host=host[1],
        segments=path_segments(path),
        query=query_values(query or ""),
        fragment=fragment or "",
    )


def path_segments(path: str) -> tuple[str, ...]:
    """Split a path, leaving out what stands empty between slashes."""
    return tuple(segment for segment in path.split("/") if segment)


def query_values(query: str) -> dict[str, str]:
    """Read a query, the first of each name; a plus sign is a plus sign."""
    values: dict[str, str] = {}
    for pair in query.split("&", _MOST_PARAMETERS)[:_MOST_PARAMETERS]:
        name, _, value = pair.partition("=")
        values.setdefault(unquote(name).lower().removeprefix("amp;"), unquote(value))
    return values
