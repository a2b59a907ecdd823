"""The operator's key: the one that is set, or one made on first start and kept."""

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from meetbot_calendar.embedded.state import make_data_dir
from meetbot_calendar.embedded.trouble import in_words
from meetbot_calendar.settings import Secret, Settings


def with_operator_key(settings: Settings) -> Settings:
    """Fill in the operator's key; a new one is printed, this once."""
    if settings.operator_key:
        return settings
    with in_words(settings.data_dir):
        make_data_dir(settings.data_dir)
        key = _kept(settings.data_dir / "operator.key")
    return msgspec.structs.replace(settings, operator_key=Secret(key))


def _kept(path: Path) -> str:
    """Read the key's file, or make it: whole or not at all, and once for all who start at once."""
    if not path.exists():
        key = f"mbo_{secrets.token_urlsafe(32)}"
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{key}\n")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
            sys.stdout.write(f"The operator's key, shown once and kept in {path}:\n  {key}\n")
            sys.stdout.flush()
        draft.unlink()
    return path.read_text(encoding="ascii").strip()
