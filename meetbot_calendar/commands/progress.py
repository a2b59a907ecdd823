"""How far a long command is: a bar on a terminal, plain lines anywhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Tell = Callable[[int, int, str], None]
"""Says that so many of so many are done, and what the last one was."""


@contextmanager
def telling(what: str) -> Iterator[Tell]:
    """Yield what to tell progress to."""
    if not sys.stdout.isatty():
        yield _say
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(file=sys.stdout), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total, last: progress.update(
            task, completed=done, total=total, description=last
        )


def _say(done: int, total: int, last: str) -> None:
    sys.stdout.write(f"{done}/{total} {last}\n")
    sys.stdout.flush()
