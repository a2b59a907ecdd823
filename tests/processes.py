"""Real processes in tests: wait for one to end, and find what it looks like from outside."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def has_ended(pid: int, seconds: float) -> bool:
    """Wait for a process, which need not be our child, to end."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def pids_under(parent: int) -> list[int]:
    """List the children of a process."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(word) for word in text.split()]


def command_line(pid: int) -> str:
    """Read what everybody can read of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:  # it has just ended
        return ""


@contextmanager
def script(text: str, *words: str, user: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run Python text as a process of its own; it is killed at the end. Talk by its pipes."""
    process = subprocess.Popen(  # noqa: S603 - a test's own text
        [sys.executable, "-c", text, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    """Wait for the next line that a process says."""
    assert process.stdout is not None
    return process.stdout.readline()
