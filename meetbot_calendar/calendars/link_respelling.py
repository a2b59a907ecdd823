"""Writes an address that only an app or a hand would write as the one that a browser joins.

A fleet's bot joins through the browser, and takes an address as it is told it. Zoom's apps are
opened by ``zoommtg://zoom.us/join?confno=…&pwd=…`` (on phones ``zoomus://``), Teams' by
``msteams:/l/meetup-join/…`` and ``msteams://teams.microsoft.com/…``. People type a number in the
groups that an invitation shows it in, and a Meet code without its hyphens.
"""

import re
from urllib.parse import quote, unquote

from meetbot_calendar.calendars.link_addresses import Address, parse_address
from meetbot_calendar.calendars.platform_sites import GOOGLE_MEET_PAGES, HOSTS

_TEAMS_APP = re.compile(r"msteams:/{1,3}(?=(?:l|meet)/)", re.IGNORECASE)
_APPS = re.compile(r"(?:zoommtg|zoomus|msteams)://", re.IGNORECASE)

_ZOOM_NUMBER = re.compile(r"[0-9]{5,11}")
_BETWEEN = r"(?:[-.+]|%20|%C2%A0|%E2%80%9[0-5])"
_ZOOM_GROUPS = re.compile(
    rf"(?<=/)([0-9]{{3}}){_BETWEEN}([0-9]{{3,4}}){_BETWEEN}([0-9]{{3,4}})(?=[/?#&]|$)",
    re.IGNORECASE,
)
_ZOOM_ESCAPED_QUERY = re.compile(r"(/[jsw]/[0-9]{5,11})%3F([^/?#]*)(?:\?([^#]*))?", re.IGNORECASE)

_MEET_CODE = re.compile(r"(?<=\.com/)([a-z]{3})([a-z]{4})([a-z]{3})(?=/?(?:[?#]|$))", re.IGNORECASE)


def respell(url: str) -> str | None:
    """Return the address as a browser joins it; None where it is no other than it stands."""
    if opening := _TEAMS_APP.match(url):
        return f"https://teams.microsoft.com/{url[opening.end() :]}"
    if opening := _APPS.match(url):
        return f"https://{url[opening.end() :]}"
    address = parse_address(url)
    if address is None:
        return None
    if HOSTS["zoom"].fullmatch(address.host):
        respelt = _zoom(url, address)
    elif HOSTS["google_meet"].fullmatch(address.host):
        respelt = _google_meet(url, address)
    else:
        return None
    return respelt if respelt != url else None


def _zoom(url: str, address: Address) -> str:
    if address.segments in {("join",), ("start",)}:
        number = re.sub(r"[\s-]", "", address.query.get("confno", ""))
        if not _ZOOM_NUMBER.fullmatch(number):
            return url
        kept = "&".join(
            f"{name}={quote(address.query[name], safe='')}"
            for name in ("pwd", "tk")
            if address.query.get(name)
        )
        return f"https://{address.host}/j/{number}{'?' if kept else ''}{kept}"
    url = _ZOOM_GROUPS.sub(r"\1\2\3", url, count=1)
    return _ZOOM_ESCAPED_QUERY.sub(
        lambda found: f"{found[1]}?{unquote(found[2])}{'&' if found[3] else ''}{found[3] or ''}",
        url,
        count=1,
    )


def _google_meet(url: str, address: Address) -> str:
    if len(address.segments) != 1 or address.segments[0].lower() in GOOGLE_MEET_PAGES:
        return url
    return _MEET_CODE.sub(r"\1-\2-\3", url, count=1)
