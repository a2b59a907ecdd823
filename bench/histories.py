"""Plays random histories of a simulated world, and compares our picture with it at their ends.

Run: ``.venv/bin/python -P bench/histories.py 1000``; ``--seed 17`` tells one of them again, with
what happened in it. What is played and what is compared stands in ``tests/journeys/histories``.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.storage.migrations import migrate
from meetbot_calendar.telemetry import configure_logging
from tests.journeys.histories.playing import KINDS, Ended, play

console = Console(width=150)


def empty(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set role meetbot_operator")
        connection.execute("delete from tenants")
    return url


async def several(url: str, folder: Path, seeds: range, most_wrong: int) -> list[Ended]:
    ended: list[Ended] = []
    began = time.perf_counter()
    for seed in seeds:
        keys = folder / secrets.token_hex(4)
        keys.mkdir()
        ended.append(await play(empty(url), keys, seed))
        wrong = [each for each in ended if each.wrong]
        if ended[-1].wrong:
            show(ended[-1])
        if len(ended) % 25 == 0:
            spent = time.perf_counter() - began
            console.print(
                f"{len(ended)} played, {len(wrong)} wrong, {spent / len(ended):.1f} s each"
            )
        if len(wrong) >= most_wrong:
            break
    return ended


def show(ended: Ended) -> None:
    console.print(f"[red]seed {ended.seed} ({ended.kind})", highlight=False)
    console.print("  " + " ".join(ended.told), highlight=False, markup=False)
    for line in ended.wrong[-8:]:
        console.print("  " + line, highlight=False, markup=False)


def report(ended: list[Ended]) -> None:
    table = Table("kind of trouble", "histories", "steps", "wrong")
    played = Counter(each.kind for each in ended)
    for kind in KINDS:
        mine = [each for each in ended if each.kind == kind]
        steps = sum(len(each.told) for each in mine)
        table.add_row(kind, str(played[kind]), str(steps), str(sum(bool(e.wrong) for e in mine)))
    steps = sum(len(each.told) for each in ended)
    table.add_row("all", str(len(ended)), str(steps), str(sum(bool(e.wrong) for e in ended)))
    console.print(table)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("number", type=int, nargs="?", default=100, help="how many to play")
    asked.add_argument("--first", type=int, default=0, help="the seed to begin with")
    asked.add_argument("--seed", type=int, help="tell this one again, alone")
    asked.add_argument("--most-wrong", type=int, default=20, help="stop after so many")
    given = asked.parse_args()
    seeds = range(given.first, given.first + given.number)
    if given.seed is not None:
        seeds = range(given.seed, given.seed + 1)
    configure_logging("json", "error")
    with tempfile.TemporaryDirectory(prefix="meetbot-histories-") as folder:
        servers = EmbeddedServers(Path(folder) / "servers")
        state = servers.start()
        try:
            migrate(state.owner_url, "meetbot")
            ended = asyncio.run(several(state.app_url, Path(folder), seeds, given.most_wrong))
        finally:
            servers.stop()
    report(ended)
    sys.exit(any(each.wrong for each in ended))


if __name__ == "__main__":
    main()
