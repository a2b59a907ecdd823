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
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.rival import RIVALS, Json, environment  # noqa: E402
from rules import evaluate  # noqa: E402

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


class Author:
    """Writes random rules of a sort."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def rule(self, sort: str, seen: str = "event", depth: int = 4) -> Json:
        """Write an expression that gives a value of this sort."""
        if depth == 0 or self._random.random() < 0.15:
            return self._leaf(sort, seen)
        return self._random.choice(self._forms(sort, seen))(depth - 1)

    def _leaf(self, sort: str, seen: str) -> Json:
        paths = PATHS[seen].get(sort, [])
        if paths and self._random.random() < 0.7:
            return {"var": self._random.choice(paths)}
        return self._random.choice(LITERALS[sort])

    def _forms(self, sort: str, seen: str) -> list[Json]:
        def write(sort: str, depth: int) -> Json:
            return self.rule(sort, seen, depth)

        def of_two(names: str, of: str) -> Json:
            name = self._random.choice(names.split())
            return lambda d: {name: [write(of, d), write(of, d)]}

        def loop(names: str, over: str, inner: str, of: str) -> Json:
            name = self._random.choice(names.split())
            source = {"var": "rows"} if inner == "row" else None
            return lambda d: {name: [source or write(over, d), self.rule(of, inner, d)]}

        forms = {
            "bool": [
                of_two("< <= > >= == != === !==", "number"),
                of_two("== != === !==", "text"),
                of_two("and or", "bool"),
                lambda d: {self._random.choice(["!", "!!"]): [write("bool", d)]},
                lambda d: {"in": [write("text", d), write("texts", d)]},
                lambda d: {"in": [self._random.choice(["a", "up", "x"]), write("text", d)]},
                loop("some all none", "numbers", "number", "bool"),
                loop("some all none", "", "row", "bool"),
            ],
            "number": [
                of_two("+ - * min max", "number"),
                lambda d: {"if": [write("bool", d), write("number", d), write("number", d)]},
                lambda d: {
                    "reduce": [
                        write("numbers", d),
                        {"+": [{"var": "current"}, {"var": "accumulator"}]},
                        self._random.randrange(4),
                    ]
                },
            ],
            "text": [
                lambda d: {"cat": [write("text", d), "-", write("text", d)]},
                lambda d: {"substr": [write("text", d), self._random.randrange(4), 2]},
                lambda d: {"?:": [write("bool", d), write("text", d), write("text", d)]},
            ],
            "numbers": [
                loop("filter", "numbers", "number", "bool"),
                loop("map", "numbers", "number", "number"),
                of_two("merge", "numbers"),
            ],
            "texts": [of_two("merge", "texts"), loop("map", "", "row", "text")],
        }
        # A loop's list belongs to the event: within a loop there are no lists to write of.
        return [form for form in forms[sort] if seen == "event" or form not in forms[sort][-2:]]


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
