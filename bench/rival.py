"""Run inside a rival's own environment: how many times a second it evaluates each rule.

Reads ``{library, rules, events, seconds}`` as JSON from standard input; writes, for each rule, its
rate and its answers. Needs nothing but the standard library and the rival.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Json = Any
Evaluate = Callable[[Json, Json], Json]


def rate(call: Callable[[], object], seconds: float) -> float:
    """Give the best of three rounds, in calls a second."""
    best = 0.0
    for _ in range(3):
        done, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds:
            for _ in range(20):
                call()
            done += 20
        best = max(best, done / spent)
    return best


def library(name: str) -> tuple[Evaluate, Callable[[Json], Json]]:
    """Give the rival's function, and what its arguments are best turned into beforehand."""
    if name == "jsonlogic-rs":
        import jsonlogic_rs  # noqa: PLC0415 - one rival at a time is installed

        def apply(rule: str, event: str) -> Json:
            return jsonlogic_rs.apply_serialized(rule, event, json.loads)

        return apply, json.dumps
    from json_logic import jsonLogic  # noqa: PLC0415

    return jsonLogic, lambda value: value


def main() -> None:
    task = json.load(sys.stdin)
    evaluate, prepare = library(task["library"])
    events = [prepare(event) for event in task["events"]]
    report: dict[str, Json] = {}
    for name, rule in task["rules"].items():
        ready = prepare(rule)

        def all_events(ready: Json = ready) -> None:
            for event in events:
                evaluate(ready, event)

        answers = [evaluate(ready, event) for event in events]
        speed = rate(all_events, task["seconds"]) * len(events)
        report[name] = {"rate": speed, "answers": answers}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
