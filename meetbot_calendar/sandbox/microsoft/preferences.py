"""What one request prefers: Graph reads ``Prefer`` on every call and says what it applied."""

import re

import msgspec

from meetbot_calendar.sandbox.microsoft import zones
from meetbot_calendar.sandbox.microsoft.failures import GraphRefusal

_MOST = 1000
_PREFERENCE = re.compile(r'([\w.\-]+)\s*=\s*(?:"([^"]*)"|([^,;\s]+))')


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """``zone`` is as the caller named it; ``applied`` goes into ``Preference-Applied``."""

    zone: str = "UTC"
    page_size: int | None = None
    immutable_ids: bool = False
    text_body: bool = False
    applied: tuple[str, ...] = ()


def read_preferences(headers: list[str]) -> Preferences:
    """Read the ``Prefer`` headers of one request; what is unknown is left alone, as Graph does."""
    given = {m[1].lower(): m[2] or m[3] or "" for line in headers for m in _find(line)}
    zone = given.get("outlook.timezone", "UTC")
    if zones.zone_of(zone) is None:
        text = "A valid TimeZone value must be specified. The following TimeZone value is not"
        raise GraphRefusal(400, "TimeZoneNotSupportedException", f"{text} supported: '{zone}'.")
    size = given.get("odata.maxpagesize", "")
    return Preferences(
        zone=zone,
        page_size=min(int(size), _MOST) if size.isdigit() and int(size) > 0 else None,
        immutable_ids=given.get("idtype", "").lower() == "immutableid",
        text_body=given.get("outlook.body-content-type", "").lower() == "text",
        applied=tuple(_applied(given)),
    )


def _find(line: str) -> list[re.Match[str]]:
    return list(_PREFERENCE.finditer(line))


def _applied(given: dict[str, str]) -> list[str]:
    known = {
        "outlook.timezone": 'outlook.timezone="{}"',
        "outlook.body-content-type": 'outlook.body-content-type="{}"',
        "idtype": 'IdType="{}"',
        "odata.maxpagesize": "odata.maxpagesize={}",
    }
    return [form.format(given[name]) for name, form in known.items() if name in given]
