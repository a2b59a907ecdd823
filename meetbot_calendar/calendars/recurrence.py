"""Where the occurrences of a series fall: RRULE, RDATE and EXDATE (RFC 5545) in its own zone.

The provider expands series into our rows; this tells what lies beyond them. Rules come from
strangers, so whatever they say is bounded in steps and in time.
"""

import heapq
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile

import msgspec
from dateutil.rrule import rrule, rrulestr

from meetbot_calendar.calendars import timezones
from meetbot_calendar.calendars.recurrence_rules import Dates, Rule, read_dates, read_rule
from meetbot_calendar.errors import Refused

_MOST_TEXT = 64 * 1024
_MOST_STEPS = 100_000
_FIRST_YEAR, _LAST_YEAR = 1900, 2300
_EARLIEST, _LATEST = datetime(_FIRST_YEAR, 1, 2, tzinfo=UTC), datetime(_LAST_YEAR, 1, 1, tzinfo=UTC)
_FAR = timedelta(days=365 * 50)
_SLACK = timedelta(days=2)

# dateutil looks for the next occurrence up to the year 9999, whatever UNTIL says; a rule without
# any would keep it at that for seconds. The calendar repeats every 400 years, weekdays included:
# moved 19 times as far ahead, a series is the same and that year is near.
_SHIFT = 19 * 400


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A series as its master describes it.

    ``start`` is the first occurrence as the clocks of ``zone`` (IANA) show it, without an offset;
    ``lines`` are RRULE, RDATE and EXDATE lines. An all-day series has dates: its instants are
    midnights UTC.
    """

    platform_id: str
    start: datetime
    zone: str
    is_all_day: bool = False
    lines: tuple[str, ...] = ()


def rule_of(series: Series) -> str | None:
    """Return the rule without its name, as people show it; None where only dates are listed."""
    rules = [line.partition(":")[2] for line in series.lines if _kind(line) == "RRULE"]
    return "\n".join(rules) or None


def check(series: Series) -> None:
    """Raise ``Refused`` (``bad_recurrence``) for lines that are no recurrence, or a hostile one."""
    for _ in _sources(series):
        pass


def occurrences(series: Series, *, after: datetime) -> Iterator[datetime]:
    """Yield the instants (UTC) at which a series begins after ``after``, in order.

    What lies more than 50 years ahead, or after the beginning, is not told. Raises ``Refused``
    (``bad_recurrence``).
    """
    if not _FIRST_YEAR <= series.start.year <= _LAST_YEAR:
        raise _bad(f"it begins in the year {series.start.year}")
    after = min(max(after, _EARLIEST), _LATEST)
    horizon = max(after, series.start.replace(tzinfo=UTC)) + _FAR
    last: datetime | None = None
    for instant in _all(series, after):
        if instant != last and instant > after:
            if instant > horizon:
                return
            yield instant
        last = instant


def next_after(series: Series, after: datetime) -> datetime | None:
    """Return the first occurrence after ``after``; None where there is none any more."""
    return next(occurrences(series, after=after), None)


def _all(series: Series, after: datetime) -> Iterator[datetime]:
    """Yield every instant that could be after ``after``; some before it may be left out."""
    rules, added, left_out = _sorted(series)
    extra = sorted({when for dates in added for when in dates.instants(series.start)})
    gone = {when for dates in left_out for when in dates.instants(series.start)}
    runs = [_run(rule, series, after) for rule in rules]
    if not runs:
        runs = [iter([_instant(series, series.start)])]
    return (when for when in heapq.merge(*runs, extra) if when not in gone)


def _sorted(series: Series) -> tuple[list[Rule], list[Dates], list[Dates]]:
    rules: list[Rule] = []
    added: list[Dates] = []
    left_out: list[Dates] = []
    for kind, found in _sources(series):
        if isinstance(found, Rule):
            rules.append(found)
        else:
            (added if kind == "RDATE" else left_out).append(found)
    return rules, added, left_out


def _sources(series: Series) -> Iterator[tuple[str, Rule | Dates]]:
    if sum(map(len, series.lines)) > _MOST_TEXT:
        raise _bad("it is too long")
    zone = "UTC" if series.is_all_day else series.zone
    for line in series.lines:
        try:
            found = _source(line, zone)
        except ValueError as error:
            raise _bad(str(error)) from error
        yield _kind(line), found


def _source(line: str, zone: str) -> Rule | Dates:
    kind = _kind(line)
    if kind == "RRULE":
        return read_rule(line.partition(":")[2], zone)
    if kind in ("RDATE", "EXDATE"):
        return read_dates(line, zone)
    raise ValueError(f"{kind or 'an empty line'} is no RRULE, RDATE or EXDATE")


def _kind(line: str) -> str:
    return line.partition(":")[0].partition(";")[0].strip().upper()


def _run(rule: Rule, series: Series, after: datetime) -> Iterator[datetime]:
    """Yield the instants of one rule, from shortly before ``after``."""
    interesting = timezones.to_local(after, series.zone).replace(tzinfo=None) - _SLACK
    walls = islice(_walls(rule, series.start), rule.count)
    found = (_instant(series, wall) for wall in walls if wall >= interesting)
    until = rule.until
    return found if until is None else takewhile(lambda instant: instant <= until, found)


def _walls(rule: Rule, start: datetime) -> Iterator[datetime]:
    """Yield the wall times of a rule. Raises ``Refused`` where there are too many to walk."""
    ahead = start.replace(year=start.year + _SHIFT)
    try:
        found = rrulestr(f"RRULE:{rule.text}", dtstart=ahead)
        if isinstance(found, rrule):
            yield from _counted(found)
    except (ValueError, TypeError, OverflowError) as error:
        raise _bad(str(error)) from error


def _counted(walls: Iterable[datetime]) -> Iterator[datetime]:
    for number, wall in enumerate(walls):
        if number >= _MOST_STEPS:
            raise _bad("it happens too often to be followed this far")
        yield wall.replace(year=wall.year - _SHIFT)


def _instant(series: Series, wall: datetime) -> datetime:
    if series.is_all_day:
        return datetime.combine(date(wall.year, wall.month, wall.day), datetime.min.time(), UTC)
    return timezones.to_utc(wall, series.zone)


def _bad(why: str) -> Refused:
    return Refused(f"the recurrence rule cannot be used: {why}", code="bad_recurrence")
