"""Whether random rules get the same answers from us as from the libraries that pass the suite.

``python bench/referees.py`` makes a throw-away environment for each library, lets all of them
evaluate the same random rules over the same random data, and fails where two or more of them agree
with one another and not with us. The rules keep to what the published suite settles: the libraries
share habits of Python (text of booleans, signs of remainders, equality of lists) that JavaScript,
and so the language, does not have.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.rival import RIVALS, Json, environment
from rules import evaluate

DATA: Json = {
    "n": 3,
    "zero": 0,
    "half": 2.5,
    "word": "stand-up",
    "empty": "",
    "yes": True,
    "no": False,
    "numbers": [1, 2, 3, 4],
    "words": ["stand-up", "lunch", "1:1"],
    "none": [],
    "deep": {"n": 7, "word": "lunch", "list": [5, 6]},
    "rows": [{"n": 1, "word": "a", "ok": True}, {"n": 4, "word": "lunch", "ok": False}],
}
PATHS = {
    "event": {
        "number": ["n", "zero", "half", "deep.n", "numbers.1"],
        "text": ["word", "empty", "deep.word", "rows.1.word"],
        "bool": ["yes", "no", "rows.0.ok"],
        "numbers": ["numbers", "none", "deep.list"],
        "texts": ["words", "none"],
    },
    "row": {"number": ["n"], "text": ["word"], "bool": ["ok"]},
    "number": {"number": [""]},
}
LITERALS: dict[str, list[Json]] = {
    "number": [0, 1, 2, 10, 1.5],
    "text": ["stand-up", "lunch", "up", "zebra"],
    "bool": [True, False],
    "numbers": [[1, 2], [7], []],
    "texts": [["lunch", "zebra"], []],
}


Form: TypeAlias = Callable[[int], Json]


class Author:
    """Writes random rules of a sort."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def rule(self, sort: str, seen: str = "event", depth: int = 4) -> Json:
        """Write an expression that gives a value of this sort."""
        forms = self._forms(sort, seen)
        if depth == 0 or not forms or self._random.random() < 0.15:
            return self._leaf(sort, seen)
        return self._random.choice(forms)(depth - 1)

    def _leaf(self, sort: str, seen: str) -> Json:
        paths = PATHS[seen].get(sort, [])
        if paths and self._random.random() < 0.7:
            return {"var": self._random.choice(paths)}
        return self._random.choice(LITERALS[sort])

    def _forms(self, sort: str, seen: str) -> list[Form]:
        in_loop = seen != "event"
        if sort == "bool":
            return self._conditions(seen) + ([] if in_loop else self._looking_through())
        if sort == "number":
            return self._sums(seen) + ([] if in_loop else [self._total])
        if sort == "text":
            return self._texts(seen)
        return [] if in_loop else self._lists(sort)

    def _of_two(self, names: str, sort: str, seen: str) -> Form:
        name = self._random.choice(names.split())
        return lambda depth: {name: [self.rule(sort, seen, depth), self.rule(sort, seen, depth)]}

    def _loop(self, names: str, items: str, sort: str) -> Form:
        name = self._random.choice(names.split())
        if items == "row":
            return lambda depth: {name: [{"var": "rows"}, self.rule(sort, "row", depth)]}
        return lambda depth: {
            name: [self.rule("numbers", "event", depth), self.rule(sort, "number", depth)]
        }

    def _conditions(self, seen: str) -> list[Form]:
        small = self._random.choice(["a", "up", "x"])
        return [
            self._of_two("< <= > >= == != === !==", "number", seen),
            self._of_two("== != === !==", "text", seen),
            self._of_two("and or", "bool", seen),
            lambda depth: {"!": [self.rule("bool", seen, depth)]},
            lambda depth: {"!!": [self.rule("bool", seen, depth)]},
            lambda depth: {"in": [self.rule("text", seen, depth), self._leaf("texts", seen)]},
            lambda depth: {"in": [small, self.rule("text", seen, depth)]},
        ]

    def _looking_through(self) -> list[Form]:
        return [
            self._loop("some all none", "number", "bool"),
            self._loop("some all none", "row", "bool"),
        ]

    def _sums(self, seen: str) -> list[Form]:
        return [
            self._of_two("+ - * min max", "number", seen),
            lambda depth: {
                "if": [self.rule(each, seen, depth) for each in ("bool", "number", "number")]
            },
        ]

    def _total(self, depth: int) -> Json:
        adding = {"+": [{"var": "current"}, {"var": "accumulator"}]}
        return {"reduce": [self.rule("numbers", "event", depth), adding, depth]}

    def _texts(self, seen: str) -> list[Form]:
        return [
            lambda depth: {"cat": [self.rule("text", seen, depth), "-", self._leaf("text", seen)]},
            lambda depth: {"substr": [self.rule("text", seen, depth), depth, 2]},
            lambda depth: {
                "?:": [self.rule(each, seen, depth) for each in ("bool", "text", "text")]
            },
        ]

    def _lists(self, sort: str) -> list[Form]:
        if sort == "texts":
            return [self._of_two("merge", "texts", "event"), self._loop("map", "row", "text")]
        return [
            self._of_two("merge", "numbers", "event"),
            self._loop("filter", "number", "bool"),
            self._loop("map", "number", "number"),
        ]


def answers_of(python: Path, library: str, pairs: list[Json]) -> list[Json]:
    """Let one library answer, in its own environment."""
    script = Path(__file__).with_name("rival.py")
    task = json.dumps({"library": library, "pairs": pairs})
    done = subprocess.run([python, script], input=task, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--environments", type=Path, help="keep the environments here")
    arguments.add_argument("--rules", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    author = Author(chosen.seed)
    sorts = ("bool", "number", "text", "numbers", "texts")
    pairs = [[author.rule(sorts[at % len(sorts)]), DATA] for at in range(chosen.rules)]
    with tempfile.TemporaryDirectory() as folder:
        place = chosen.environments or Path(folder)
        theirs = {each: answers_of(environment(place, each), each, pairs) for each in RIVALS}
    ours = [{"answer": evaluate(rule, data)} for rule, data in pairs]
    sys.exit(report(pairs, ours, theirs))


def report(pairs: list[Json], ours: list[Json], theirs: dict[str, list[Json]]) -> int:
    """Print how often each agrees; give 1 where two agree with one another and not with us."""
    agreeing: Counter[str] = Counter()
    wrong = backed = 0
    for at, (rule, _) in enumerate(pairs):
        said = {library: answers[at] for library, answers in theirs.items()}
        agreeing.update(library for library, answer in said.items() if answer == ours[at])
        backed += sum(answer == ours[at] for answer in said.values()) >= 2
        given = [json.dumps(answer) for answer in said.values() if "answer" in answer]
        common, times = Counter(given).most_common(1)[0] if given else ("", 0)
        if times >= 2 and json.loads(common) != ours[at]:
            wrong += 1
            print(f"{json.dumps(rule)}\n  ours {ours[at]}, theirs {said}")
    for library in theirs:
        print(f"{library}: the same answer to {agreeing[library]:,} of {len(pairs):,} rules")
    print(f"two or more agree with us: {backed:,}; two or more agree against us: {wrong:,}")
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
