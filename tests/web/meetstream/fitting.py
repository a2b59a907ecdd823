"""Compares an answer with a documented one: every field there, of its kind, in its words."""

import re
from collections.abc import Iterator

from tests.web.house import Json

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_IDS = {"evt_": "evt_", "bot_": "bot_", "usr_": "mcu_", "bot-usr_": "bot-"}
_SAID = {"platform", "meeting_platform", "status", "message", "schedule_group", "recurrence_rule"}
_TRUE = {
    "scheduled", "disconnected", "watch_channel_stopped", "subscription_stopped", "success",
    "unscheduled", "is_scheduled", "auto_schedule_enabled", "recurring_enabled", "schedule_updated",
}  # fmt: skip


def misfits(documented: object, given: object, at: str = "") -> Iterator[str]:
    """Name every place where an answer is not as documented; what more it says is its own."""
    if documented is None:
        return
    if type(documented) is not type(given):
        yield f"{at} is {given!r}, not {type(documented).__name__}"
    elif isinstance(documented, dict) and isinstance(given, dict):
        yield from _in_fields(documented, given, at)
    elif isinstance(documented, list) and isinstance(given, list):
        yield from _in_rows(documented, given, at)
    elif not _is_alike(at.rpartition("/")[2], documented, given):
        yield f"{at} is {given!r}, not like {documented!r}"


def _in_fields(documented: Json, given: Json, at: str) -> Iterator[str]:
    for key, value in documented.items():
        if key in given:
            yield from misfits(value, given[key], f"{at}/{key}")
        else:
            yield f"{at}/{key} is missing"


def _in_rows(documented: list[object], given: list[object], at: str) -> Iterator[str]:
    """Every row is like the first that is shown; where one is shown, there is one."""
    if not documented:
        return
    if not given:
        yield f"{at} is empty"
    for number, row in enumerate(given):
        yield from misfits(documented[0], row, f"{at}/{number}")


def _is_alike(name: str, documented: object, given: object) -> bool:
    if isinstance(documented, str) and isinstance(given, str):
        return _reads_alike(name, documented, given)
    return given is True or not (documented is True and name in _TRUE)


def _reads_alike(name: str, documented: str, given: str) -> bool:
    if name in _SAID:
        return documented == given
    if written := _INSTANT.fullmatch(documented):
        like = _INSTANT.fullmatch(given)
        return like is not None and like[2] == written[2]
    if documented.isdigit():
        return given.isdigit() and len(given) == len(documented)
    if documented.startswith("https://"):
        return given.startswith("/".join(documented.split("/")[:3]))
    prefix = next((ours for theirs, ours in _IDS.items() if documented.startswith(theirs)), "")
    return bool(given) and given.startswith(prefix)
