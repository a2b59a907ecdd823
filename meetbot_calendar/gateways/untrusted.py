"""Reads JSON that others wrote: a value of another type than expected counts as absent."""

from typing import Any

import msgspec

Json = dict[str, Any]

MAX_TEXT = 64 * 1024  # characters; bodies of invitations are written by strangers, without limit


def text(row: Json, key: str) -> str | None:
    """Return the string at ``key``, unless it is blank."""
    found = row.get(key)
    return found if isinstance(found, str) and found.strip() else None


def address(row: Json, key: str) -> str | None:
    """Return the email address at ``key``, lower case."""
    found = text(row, key)
    return found.strip().lower() if found else None


def flag(row: Json, key: str) -> bool:
    """Say whether ``key`` is true; providers leave out what is false."""
    return row.get(key) is True


def child(row: Json, key: str) -> Json:
    """Return the object at ``key``, or an empty one."""
    found = row.get(key)
    return found if isinstance(found, dict) else {}


def children(row: Json, key: str) -> list[Json]:
    """Return the objects in the list at ``key``."""
    found = row.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def object_in(body: bytes) -> Json:
    """Return the object that a body holds; an empty one where it holds none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def capped(found: str | None) -> str | None:
    """Cut a text to ``MAX_TEXT`` characters."""
    return found[:MAX_TEXT] if found else found
