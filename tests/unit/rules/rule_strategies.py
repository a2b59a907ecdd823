"""Random JSON, random rules that make sense, and random facts, for the laws of this folder."""

import functools
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from rules.facts import AttendeeFact, CalendarFact, Facts, Person, UserFact

Rules = st.SearchStrategy[Any]

WORDS = st.sampled_from(
    ["", "a", "b", "0", "1", "-1", "10", "1.5", "abc", "accepted", "acme.com", "a@acme.com", "é😀"]
)
NUMBERS = st.one_of(st.integers(-3, 12), st.sampled_from([0.5, -2.5, 1e21, 1e-7]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)

# What can be read, by where it is read and by what it gives.
PATHS: dict[str, dict[str, list[str]]] = {
    "event": {
        "bool": ["is_all_day", "is_recurring", "is_internal", "calendar.is_primary"],
        "number": ["start_hour", "duration_minutes", "attendee_count", "external_count"],
        "text": ["title", "weekday", "start", "organizer.email", "calendar.name", "title.0"],
        "texts": ["attendee_emails", "domains"],
        "rows": ["attendees"],
        "any": ["user.attributes.team", "user.attributes.list.1", "user.attributes", ""],
    },
    "row": {
        "bool": ["is_self", "is_resource"],
        "number": ["email.length"],
        "text": ["email", "domain", "response", "name"],
        "any": [""],
    },
    "word": {"text": [""], "number": ["length"]},
    "pair": {"any": ["accumulator", "current", "current.email", "accumulator.0"]},
}


def read(seen: str, sort: str) -> Rules:
    """Give a variable of a sort, or a literal where there is none."""
    literals: dict[str, Rules] = {
        "bool": st.booleans(),
        "number": NUMBERS,
        "text": WORDS,
        "texts": st.lists(WORDS, max_size=3),
        "rows": st.just([]),
        "any": SCALARS,
    }
    paths = PATHS[seen].get(sort)
    if not paths:
        return literals[sort]
    variables = st.sampled_from(paths).map(lambda path: {"var": path})
    if sort == "rows":
        return variables
    with_default = st.tuples(st.sampled_from(paths), literals[sort])
    return st.one_of(variables, with_default.map(lambda args: {"var": [*args]}), literals[sort])


def call(name: str, *args: Rules) -> Rules:
    return st.tuples(*args).map(lambda given: {name: [*given]})


def one_call(names: str, *args: Rules) -> Rules:
    return st.tuples(st.sampled_from(names.split()), *args).map(
        lambda given: {given[0]: [*given[1:]]}
    )


@functools.cache
def rule(sort: str, seen: str = "event", depth: int = 3) -> Rules:
    """Give expressions of a sort that the door lets in."""
    if depth == 0:
        return read(seen, sort)
    return st.deferred(lambda: st.one_of(read(seen, sort), *_calls(sort, seen, depth - 1)))


def _calls(sort: str, seen: str, depth: int) -> list[Rules]:
    def a(sort: str, seen: str = seen) -> Rules:
        return rule(sort, seen, depth)

    chosen = [call("if", a("bool"), a(sort), a(sort)), call("?:", a("any"), a(sort), a(sort))]
    if sort == "bool":
        return [
            *(one_call("< <= > >= == != === !==", a(each), a(each)) for each in ("number", "text")),
            one_call("== !=", a("any"), a("text")),
            one_call("and or", a("bool"), a("any")),
            one_call("and or", a("bool"), a("bool"), a("number")),
            one_call("! !!", st.one_of(a("bool"), a("number"), a("texts"), a("any"))),
            call("in", a("text"), st.one_of(a("texts"), a("text"), a("any"))),
            call("in", a("number"), st.lists(NUMBERS, max_size=3)),
            one_call("starts_with ends_with", a("text"), a("text")),
            call("matches", a("text"), st.sampled_from(["(?i)a", "é", "^$", "[0-9]+$"])),
            call("intersects", a("texts"), a("texts")),
            call("between", a("number"), a("number"), a("number")),
            call("between", a("text"), WORDS, WORDS),
            call("<", a("number"), a("number"), a("number")),
            one_call("some all none", a("rows"), a("bool", "row")),
            one_call("some all none", a("texts"), a("bool", "word")),
            *chosen,
        ]
    if sort == "number":
        return [
            one_call("+ - * / % min max", a("number"), a("number")),
            one_call("+ * min max", a("number"), a("any"), a("number")),
            one_call("- +", a("text")),
            call("count", st.one_of(a("texts"), a("rows"), a("any"))),
            *chosen,
        ]
    if sort == "text":
        return [
            call("cat", a("text"), a("number"), a("any")),
            call("substr", a("text"), st.integers(-4, 4), st.integers(-4, 4)),
            one_call("lower domain_of", a("text")),
            *chosen,
        ]
    if sort == "texts":
        return [
            call("filter", a("texts"), a("bool", "word")),
            call("map", a("rows"), a("text", "row")),
            call("merge", a("texts"), a("text")),
            *chosen,
        ]
    if sort == "rows":
        return [call("filter", a("rows"), a("bool", "row")), *chosen]
    return [
        call("reduce", st.one_of(a("rows"), a("texts")), a("any", "pair"), a("any")),
        st.lists(a("any"), max_size=3),
        call("merge", a("any"), a("texts")),
        call("map", st.one_of(a("rows"), a("any")), SCALARS),
        call("missing", st.just("title"), st.just("organizer.email")),
        call("missing_some", st.integers(0, 3), st.just(["title", "domains", "start"])),
        one_call("log", a("text")),
        *(a(each) for each in ("bool", "number", "text", "texts")),
    ]


RULES = st.one_of(rule("bool"), rule("any"))

_BOOLS = st.booleans()
_MAYBE_BOOL = st.one_of(st.none(), st.booleans())
_MAYBE_WORD = st.one_of(st.none(), WORDS)
_TEXTS = st.one_of(st.none(), st.lists(WORDS, max_size=4).map(tuple))
_INSTANTS = st.one_of(st.none(), st.just(datetime(2026, 11, 23, 9, tzinfo=UTC)))
_ATTENDEES = st.builds(
    AttendeeFact,
    email=_MAYBE_WORD,
    domain=_MAYBE_WORD,
    name=_MAYBE_WORD,
    response=st.sampled_from(["accepted", "declined", "tentative", "needs_action"]),
    is_self=_BOOLS,
    is_resource=_BOOLS,
)
FACTS = st.builds(
    Facts,
    title=_MAYBE_WORD,
    description=_MAYBE_WORD,
    start=_INSTANTS,
    duration_minutes=st.one_of(st.none(), st.integers(0, 90), st.just(0.5)),
    start_hour=st.one_of(st.none(), st.integers(0, 23)),
    weekday=st.one_of(st.none(), st.sampled_from(["monday", "sunday"])),
    is_all_day=_BOOLS,
    is_recurring=_BOOLS,
    calendar=st.builds(CalendarFact, name=_MAYBE_WORD, is_primary=_BOOLS),
    organizer=st.one_of(st.none(), st.builds(Person, email=_MAYBE_WORD, is_self=_BOOLS)),
    attendees=st.one_of(st.none(), st.lists(_ATTENDEES, max_size=4).map(tuple)),
    attendee_count=st.one_of(st.none(), st.integers(0, 9)),
    attendee_emails=_TEXTS,
    domains=_TEXTS,
    external_count=st.one_of(st.none(), st.integers(0, 3)),
    is_internal=_MAYBE_BOOL,
    is_external=_MAYBE_BOOL,
    my_response=st.one_of(st.none(), st.sampled_from(["accepted", "declined"])),
    guest_list_hidden=_BOOLS,
    user=st.builds(
        UserFact,
        email=_MAYBE_WORD,
        attributes=st.fixed_dictionaries(
            {}, optional={"team": ANY_JSON, "list": st.lists(SCALARS, max_size=3)}
        ),
    ),
)
