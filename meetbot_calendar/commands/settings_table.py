"""The settings as a table for people: names, defaults, sentences, and names that look mistyped."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from meetbot_calendar.settings import Settings, child_environment, table


def describe() -> list[tuple[str, str, str]]:
    """List every setting: its name, its default as one would write it, its sentence."""
    defaults = msgspec.structs.asdict(Settings())
    return [(name, _shown(defaults[field]), words) for field, name, _hint, words in table()]


def unknown_names(environ: Mapping[str, str] | None = None) -> list[str]:
    """List what looks like a setting of ours and is none: a typing error, most likely."""
    known = {name for _field, name, _hint, _sentence in table()}
    given = child_environment({}) if environ is None else environ
    return sorted(n for n in given if n.startswith("MEETBOT_") and n not in known)


def _shown(value: object) -> str:
    match value:
        case None:
            return "unset"
        case bool():
            return str(int(value))
        case float():
            return f"{value:g}"
        case Path():
            return f"./{value}"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)
