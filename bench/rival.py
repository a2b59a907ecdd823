"""The libraries we measure ourselves against, and what runs inside each one's own environment.

As a script it reads a task as JSON from standard input: ``{library, rules, events, seconds}`` gives
rates and answers by rule, ``{library, pairs}`` gives one answer a pair of rule and data. It needs
nothing but the standard library and the rival.
"""

import json
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = Any
Evaluate = Callable[[Json, Json], Json]

RIVALS = {
    "panzi-json-logic": "1.0.1",
    "json-logic-qubit": "0.9.1",
    "json-logic-modernized": "1.0.1",
    "jsonlogic-rs": "0.5.0",
}


def environment(folder: Path, library: str) -> Path:
    """Make an environment with one rival in it, unless it is there; give its interpreter."""
    python = folder / library / "bin" / "python"
    if not python.exists():
        venv.create(folder / library, with_pip=True)
        wanted = f"{library}=={RIVALS[library]}"
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wanted]
        subprocess.run(install, check=True)
    return python


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
    if "pairs" in task:
        answers = [answer(evaluate, prepare(rule), prepare(data)) for rule, data in task["pairs"]]
        json.dump(answers, sys.stdout)
    else:
        json.dump(measure(task, evaluate, prepare), sys.stdout)


def answer(evaluate: Evaluate, rule: Json, data: Json) -> Json:
    """Give the answer to one rule, or the name of what it raised."""
    try:
        return {"answer": evaluate(rule, data)}
    except Exception as error:  # noqa: BLE001 - whatever a rival raises is its answer
        return {"error": type(error).__name__}


def measure(task: Json, evaluate: Evaluate, prepare: Callable[[Json], Json]) -> Json:
    """Measure every rule over all events."""
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
    return report


if __name__ == "__main__":
    main()
