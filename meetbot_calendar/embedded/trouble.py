"""What keeps something from starting: its cause and its remedy, for a person to read."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CannotStart(Exception):
    """Something cannot be started or used; says why and what to do, without a secret."""

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause = cause
        self.remedy = remedy
        super().__init__(f"{cause}; {remedy}")


@contextmanager
def in_words(place: Path) -> Iterator[None]:
    """Turn what the system refuses into a cause and a remedy that name the place."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            cause = f"the disk that holds {place} is full"
            raise CannotStart(cause, "free some space, then start again") from error
        cause = f"{error.filename or place}: {(error.strerror or str(error)).lower()}"
        remedy = "give this user the right to it, or set MEETBOT_DATA_DIR to another directory"
        raise CannotStart(cause, remedy) from error


def last_words(output: bytes) -> str:
    """Return the last line of a program's output that says something."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def tail(log: Path) -> str:
    """Return the last line of a log that says something."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            return last_words(file.read())
    except OSError:
        return "it left no log"
