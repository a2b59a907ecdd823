"""How fast the rule engine is: against four libraries, rule by rule, and deciding in bulk.

``python bench/rules.py`` makes a throw-away environment for each rival (they share a module name)
with pip, measures all in one run, and prints evaluations a second and the ratio to the fastest
rival. ``--environments DIR`` keeps the environments there for the next run.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

# Run as a script, this file's own folder comes first, where this file is called `rules` too.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.rival import RIVALS, Json, environment, rate
from rules import evaluate
from rules.budget import RULE_STEPS, Fuel
from rules.build import Builder
from rules.decision import Case, decide
from rules.facts import (
    FACTS_KIND,
    AttendeeFact,
    Facts,
    Person,
    UserFact,
    Weekday,
    as_data,
)
from rules.parse import parse_rule_set
from rules.part import Run
from rules.vocabulary import Scope

# JsonLogic as jsonlogic.com defines it, so that every rival can run it.
RULES: dict[str, Json] = {
    "manager 1:1": {
        "and": [
            {"var": "is_one_on_one"},
            {"in": [{"var": "user.attributes.manager_email"}, {"var": "attendee_emails"}]},
        ]
    },
    "customer domain": {"in": ["customer.com", {"var": "domains"}]},
    "title words": {
        "or": [
            {"in": ["stand-up", {"var": "title"}]},
            {"in": ["lunch", {"var": "title"}]},
            {"in": ["interview", {"var": "title"}]},
            {"in": ["1:1", {"var": "title"}]},
        ]
    },
    "gate": {
        "and": [
            {"!": {"var": "is_all_day"}},
            {"!=": [{"var": "my_response"}, "declined"]},
            {"in": [{"var": "visibility"}, ["default", "public"]]},
            {">": [{"var": "duration_minutes"}, 10]},
        ]
    },
    "external guest": {
        "some": [
            {"var": "attendees"},
            {
                "and": [
                    {"!=": [{"var": "domain"}, "acme.com"]},
                    {"!": {"var": "is_resource"}},
                ]
            },
        ]
    },
    "three accepted": {
        ">=": [
            {
                "reduce": [
                    {
                        "filter": [
                            {"var": "attendees"},
                            {"==": [{"var": "response"}, "accepted"]},
                        ]
                    },
                    {"+": [{"var": "accumulator"}, 1]},
                    0,
                ]
            },
            3,
        ]
    },
    "working hours": {
        "and": [
            {"<=": [9, {"var": "start_hour"}, 17]},
            {"!": {"in": [{"var": "weekday"}, ["saturday", "sunday"]]}},
            {"<": [{"var": "attendee_count"}, 20]},
        ]
    },
    "choice": {
        "if": [
            {"var": "is_internal"},
            {"and": [{"var": "is_recurring"}, {"<": [{"var": "attendee_count"}, 5]}]},
            {"==": [{"var": "organizer.domain"}, "customer.com"]},
            True,
            {">=": [{"+": [{"var": "external_count"}, {"var": "attendee_count"}]}, 6]},
        ]
    },
}


def events(count: int) -> list[Facts]:
    """Make events as calendars have them: two to thirteen guests, about 2 KB each."""
    return [_event(number) for number in range(count)]


def _event(number: int) -> Facts:
    start = datetime(2026, 11, 23, 7 + number % 11, tzinfo=UTC) + timedelta(days=number % 7)
    guests = tuple(_guest(number, at) for at in range(2 + number % 12))
    people = [guest for guest in guests if not guest.is_resource]
    domains = tuple(dict.fromkeys(guest.domain or "" for guest in people))
    external = [guest for guest in people if guest.domain != "acme.com"]
    titles = ("Weekly stand-up", "Quarterly review with Customer", "1:1 Ann and Bob", "Roadmap")
    days: tuple[Weekday, ...] = (
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    )
    return Facts(
        title=titles[number % 4],
        description="Agenda: numbers, risks, next steps. " * 4,
        platform="google_meet",
        meeting_url="https://meet.google.com/abc-defg-hij",
        start=start,
        end=start + timedelta(minutes=30),
        duration_minutes=30,
        start_hour=start.hour,
        weekday=days[start.weekday()],
        timezone="Europe/Berlin",
        is_recurring=number % 2 == 0,
        provider="google",
        account_id="ann@acme.com",
        organizer=Person(email="ann@acme.com", domain="acme.com", name="Ann", is_self=True),
        attendees=guests,
        attendee_count=len(people),
        attendee_emails=tuple(guest.email or "" for guest in people),
        domains=domains,
        external_domains=tuple(domain for domain in domains if domain != "acme.com"),
        external_count=len(external),
        is_internal=not external,
        is_external=bool(external),
        is_one_on_one=len(people) == 2,
        my_response="accepted",
        visibility="default",
        show_as="busy",
        event_type="default",
        user=UserFact(email="ann@acme.com", attributes={"manager_email": "guest1@acme.com"}),
    )


def _guest(number: int, at: int) -> AttendeeFact:
    is_room = at == 5
    domain = "customer.com" if at == 6 + number % 5 else "acme.com"
    return AttendeeFact(
        email=f"guest{at}@{domain}",
        domain=domain,
        name=f"Guest number {at}",
        response=("accepted", "tentative", "needs_action")[(number + at) % 3],
        is_self=at == 0,
        is_resource=is_room,
    )


def measure_ours(data: list[Json], seconds: float) -> dict[str, dict[str, Json]]:
    """Measure rules compiled once, and ``evaluate``, which is handed the JSON each time."""
    report: dict[str, dict[str, Json]] = {}
    for name, rule in RULES.items():
        run = Builder().build(rule, None, Scope(FACTS_KIND)).run

        def compiled(run: Run = run) -> None:
            for event in data:
                run(event, Fuel(RULE_STEPS))

        def handed(rule: Json = rule) -> None:
            for event in data:
                evaluate(rule, event)

        report[name] = {
            "rate": rate(compiled, seconds) * len(data),
            "evaluate": rate(handed, seconds) * len(data),
            "answers": [evaluate(rule, event) for event in data],
        }
    return report


def measure_rival(python: Path, library: str, data: list[Json], seconds: float) -> Json:
    """Measure a rival in its own environment."""
    task = {"library": library, "rules": RULES, "events": data, "seconds": seconds}
    script = Path(__file__).with_name("rival.py")
    done = subprocess.run(
        [python, script], input=json.dumps(task), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def compare(folder: Path, seconds: float, passes: int) -> None:
    """Print rates rule by rule, and the ratio to the fastest rival."""
    data = [as_data(facts) for facts in events(24)]
    best: dict[tuple[str, str], float] = {}
    for _ in range(passes):  # by turns, so that what else the machine does is spread over all
        ours = measure_ours(data, seconds)
        for name, report in ours.items():
            _keep_best(best, name, "compiled once", report["rate"])
            _keep_best(best, name, "evaluate()", report["evaluate"])
        for library in RIVALS:
            theirs = measure_rival(environment(folder, library), library, data, seconds)
            for name, report in theirs.items():
                _keep_best(best, name, library, report["rate"])
                if report["answers"] != ours[name]["answers"]:
                    print(f"({library} answers otherwise on “{name}”)", file=sys.stderr)
    _print_table(best)


def _keep_best(best: dict[tuple[str, str], float], name: str, who: str, found: float) -> None:
    best[name, who] = max(found, best.get((name, who), 0.0))


def _print_table(best: dict[tuple[str, str], float]) -> None:
    columns = ("compiled once", "evaluate()", *RIVALS)
    print(f"| rule | {' | '.join(columns)} | ratio | evaluate() ratio |")
    print(f"|---|{'--:|' * (len(columns) + 2)}")
    ratios: dict[str, list[float]] = {"compiled once": [], "evaluate()": []}
    for name in RULES:
        fastest = max(best[name, library] for library in RIVALS)
        for who, found in ratios.items():
            found.append(best[name, who] / fastest)
        rates = " | ".join(f"{best[name, who]:,.0f}" for who in columns)
        print(f"| {name} | {rates} | " + " | ".join(f"{r[-1]:.1f}x" for r in ratios.values()), "|")
    for who, found in ratios.items():
        print(f"\n{who}: geometric mean {mean(found):.1f}x, smallest {min(found):.1f}x", end="")
    print()


def mean(ratios: list[float]) -> float:
    """Give the geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def decide_in_bulk(count: int) -> None:
    """Print how many events a second are decided under 100 rules, none of which matches."""
    ours = {
        "between": {"between": [{"var": "start_hour"}, 22, 23]},
        "pattern": {"matches": [{"var": "title"}, r"(?i)\bpayroll\b"]},
        "never": {"and": [{"var": "is_internal"}, {">": [{"var": "external_count"}, 0]}]},
        "room": {"some": [{"var": "attendees"}, {"==": [{"var": "email"}, "nobody@acme.com"]}]},
        "domains": {"intersects": [{"var": "domains"}, ["other.com", "another.com"]]},
    }
    pool = list(ours.values())
    listed = [
        {"name": f"rule {number}", "action": "skip", "when": pool[number % len(pool)]}
        for number in range(100)
    ]
    began = time.perf_counter()
    rule_set = parse_rule_set({"default": "skip", "rules": listed})
    parsed = time.perf_counter()
    cases = [
        Case(facts=facts, has_link=True, has_times=True, rule_set=rule_set)
        for facts in events(count)
    ]
    made = time.perf_counter()
    for case in cases:
        decide(case)
    spent = time.perf_counter() - made
    print(f"\nparse 100 rules: {(parsed - began) * 1e3:.1f} ms")
    print(f"decide {count:,} events under 100 rules: {spent:.2f} s, {count / spent:,.0f} events/s")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--environments", type=Path, help="keep the rivals' environments here")
    arguments.add_argument("--seconds", type=float, default=0.1, help="length of one round")
    arguments.add_argument("--passes", type=int, default=3, help="rounds, by turns")
    arguments.add_argument("--events", type=int, default=10_000)
    chosen = arguments.parse_args()
    if chosen.environments:
        compare(chosen.environments, chosen.seconds, chosen.passes)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), chosen.seconds, chosen.passes)
    decide_in_bulk(chosen.events)


if __name__ == "__main__":
    main()
