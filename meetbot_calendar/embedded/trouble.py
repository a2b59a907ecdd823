"""What keeps something from starting: its cause and its remedy, for a person to read."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_COMPLAINT = re.compile(r"FATAL|PANIC|ERROR|error:|could not|No space left")


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
    """Return the last complaint in a program's output, or else its last line."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    complaints = [line for line in lines if _COMPLAINT.search(line)]
    return (complaints or lines or ["it said nothing"])[-1]


def remedy_for(words: str) -> str:
    """Say what to do about what a program said."""
    full = "No space left on device" in words
    return "free some space, then start again" if full else "mend that, then start again"


def tail(log: Path) -> str:
    """Return the last line of a log that says something."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            return last_words(file.read())
    except OSError:
        return "it left no log"
