"""Delta rounds over a calendar view: the simulator checklist of providers.md 6.4, case by case."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.faults import ALWAYS
from meetbot_calendar.sandbox.meetings import Guest
from tests.sandbox.outlook import BOB, GRAPH, WINDOW, Reader, Tenant, at, of_calendar

DELTA = "/me/calendarView/delta"
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=3"
SLOT = "20261130T080000Z"
SPARSE = {"@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end"}


async def test_a_first_round_tells_singles_in_full_and_series_as_master_and_sparse_occurrences(
    contoso: Tenant,
) -> None:
    contoso.hold("Once", day=24)
    contoso.hold("Weekly", recurrence=WEEKLY)
    ann = await contoso.reader()

    rows, link = await ann.round()

    assert kinds(rows) == ["singleInstance", "seriesMaster", *["occurrence"] * 3]
    assert [r["subject"] for r in rows[:2]] == ["Once", "Weekly"]
    assert rows[1]["start"]["dateTime"] == "2026-11-23T08:00:00.0000000"
    assert all(set(r) == SPARSE for r in rows[2:])
    assert {r["seriesMasterId"] for r in rows[2:]} == {rows[1]["id"]}
    assert link.startswith(f"http://127.0.0.1{GRAPH}{DELTA}?$deltatoken=")


async def test_a_changed_occurrence_is_an_exception_in_full(contoso: Tenant) -> None:
    meeting = contoso.hold("Weekly", recurrence=WEEKLY)
    edits.edit(contoso.world, meeting.id, SLOT, title="Special")
    ann = await contoso.reader()

    rows, _ = await ann.round()

    assert kinds(rows) == ["seriesMaster", "occurrence", "exception", "occurrence"]
    assert (rows[2]["subject"], rows[2]["originalStart"]) == ("Special", "2026-11-30T08:00:00Z")


async def test_nothing_changed_is_an_empty_round_with_another_link(contoso: Tenant) -> None:
    contoso.hold()
    ann = await contoso.reader()
    _, link = await ann.round()

    rows, again = await ann.round(link)

    assert rows == []
    assert await ann.round(again) == ([], again)


async def test_later_rounds_tell_new_changed_and_deleted_singles(contoso: Tenant) -> None:
    kept, gone = contoso.hold("Kept"), contoso.hold("Gone", day=24)
    ann = await contoso.reader()
    first, link = await ann.round()
    edits.move(contoso.world, kept.id, at(25, 9), at(25, 10))
    edits.cancel(contoso.world, gone.id)
    contoso.hold("New", day=26)

    rows, _ = await ann.round(link)

    assert [(r.get("subject"), r.get("@removed")) for r in rows] == [
        ("Kept", None),
        (None, {"reason": "deleted"}),
        ("New", None),
    ]
    assert rows[1] == {
        "@odata.type": "#microsoft.graph.event",
        "id": first[1]["id"],
        "@removed": {"reason": "deleted"},
    }


async def test_what_leaves_the_window_or_was_never_in_it_comes_as_removed(
    contoso: Tenant,
) -> None:
    leaving = contoso.hold("Leaving")
    ann = await contoso.reader()
    (known,), link = await ann.round()
    edits.move(contoso.world, leaving.id, at(1, 9), at(1, 10))
    contoso.hold("Never seen", day=2)

    rows, later = await ann.round(link)
    edits.move(contoso.world, leaving.id, at(28, 9), at(28, 10))
    back, _ = await ann.round(later)

    assert [r["@removed"]["reason"] for r in rows] == ["deleted", "deleted"]
    assert rows[0]["id"] == known["id"]
    assert [(r["id"], r["subject"]) for r in back] == [(known["id"], "Leaving")]


async def test_a_cancelled_occurrence_has_no_tombstone_the_series_is_told_again_without_it(
    contoso: Tenant,
) -> None:
    meeting = contoso.hold(recurrence=WEEKLY)
    ann = await contoso.reader()
    before, link = await ann.round()
    edits.cancel(contoso.world, meeting.id, SLOT)

    rows, _ = await ann.round(link)

    assert kinds(rows) == ["seriesMaster", "occurrence", "occurrence"]
    assert before[2]["id"] not in {r["id"] for r in rows}


async def test_a_rescheduled_series_has_new_ids_and_no_tombstones_for_the_old(
    contoso: Tenant,
) -> None:
    meeting = contoso.hold(recurrence=WEEKLY)
    ann = await contoso.reader()
    before, link = await ann.round()
    edits.move(contoso.world, meeting.id, at(24, 8), at(24, 9))

    rows, _ = await ann.round(link)

    assert kinds(rows) == ["seriesMaster", *["occurrence"] * 3]
    assert {r["id"] for r in rows} & {r["id"] for r in before} == {before[0]["id"]}


async def test_a_cancelled_exception_has_no_tombstone_either(contoso: Tenant) -> None:
    meeting = contoso.hold(recurrence=WEEKLY)
    edits.edit(contoso.world, meeting.id, SLOT, title="Special")
    ann = await contoso.reader()
    _, link = await ann.round()
    edits.cancel(contoso.world, meeting.id, SLOT)

    rows, _ = await ann.round(link)

    assert kinds(rows) == ["seriesMaster", "occurrence", "occurrence"]


async def test_an_occurrence_moved_out_of_the_window_comes_as_removed(contoso: Tenant) -> None:
    meeting = contoso.hold(recurrence=WEEKLY)
    ann = await contoso.reader()
    before, link = await ann.round()
    edits.move(contoso.world, meeting.id, at(1, 9), at(1, 10), SLOT)

    rows, _ = await ann.round(link)

    assert kinds(rows) == ["seriesMaster", "occurrence", "occurrence", "removed"]
    assert rows[3]["id"] == before[2]["id"]


async def test_a_deleted_series_is_one_removed_master(contoso: Tenant) -> None:
    meeting = contoso.hold(recurrence=WEEKLY)
    ann = await contoso.reader()
    before, link = await ann.round()
    edits.cancel(contoso.world, meeting.id)

    rows, _ = await ann.round(link)

    assert [(r["id"], r["@removed"]["reason"]) for r in rows] == [(before[0]["id"], "deleted")]


async def test_a_split_series_is_told_as_two(contoso: Tenant) -> None:
    meeting = contoso.hold("Weekly", recurrence="RRULE:FREQ=WEEKLY;COUNT=4")
    ann = await contoso.reader()
    _, link = await ann.round()
    edits.split(
        contoso.world, meeting.id, SLOT, title="Later", recurrence="RRULE:FREQ=WEEKLY;COUNT=2"
    )

    rows, _ = await ann.round(link)

    masters = {r["subject"]: r["id"] for r in rows if r["type"] == "seriesMaster"}
    starts = {
        title: [r["start"]["dateTime"][:10] for r in rows if r.get("seriesMasterId") == master]
        for title, master in masters.items()
    }
    assert starts == {"Weekly": ["2026-11-23"], "Later": ["2026-11-30", "2026-12-07"]}


async def test_rounds_come_in_pages_and_keep_their_place_while_the_calendar_changes(
    contoso: Tenant,
) -> None:
    meetings = [contoso.hold(f"M{n}", hour=n) for n in range(6, 13)]
    ann = await contoso.reader()
    size = "odata.maxpagesize=3"
    first = await ann.read(DELTA, size, **WINDOW)
    edits.edit(contoso.world, meetings[0].id, title="M6 again")
    edits.edit(contoso.world, meetings[5].id, title="M11 again")

    rest, link = await ann.round(first["@odata.nextLink"], size)
    later, _ = await ann.round(link, size)

    assert subjects(first["value"]) == ["M6", "M7", "M8"]
    assert "$skiptoken" in parse_qs(urlsplit(first["@odata.nextLink"]).query)
    assert subjects(rest) == ["M9", "M10", "M12"]
    assert subjects(later) == ["M6 again", "M11 again"]


async def test_the_window_stays_the_tokens_own(contoso: Tenant) -> None:
    contoso.hold()
    ann = await contoso.reader()
    _, link = await ann.round()
    contoso.hold("Christmas", day=30)

    rows = (
        await ann.read(
            f"{link}&startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-11-02T00:00:00Z"
        )
    )["value"]

    assert subjects(rows) == ["Christmas"]


async def test_a_token_is_bound_to_its_calendar(contoso: Tenant) -> None:
    account = contoso.world.directory.account("outlook", "ann@contoso.test")
    assert account
    team = contoso.world.directory.add_calendar(account, "Team")
    ann = await contoso.reader()
    _, link = await ann.round()
    _, own = await ann.round(
        f"http://127.0.0.1{GRAPH}" + windowed(of_calendar(team.id, "calendarView/delta"))
    )
    token = parse_qs(urlsplit(link).query)["$deltatoken"][0]

    crossed = await ann.get(of_calendar(team.id, "calendarView/delta"), **{"$deltatoken": token})
    nonsense = await ann.get(DELTA, **{"$deltatoken": "nonsense"})

    assert "/me/calendars/" in own
    assert refusal(crossed) == refusal(nonsense) == (400, "SyncStateInvalid")


async def test_a_delta_takes_any_letter_case_and_refuses_what_it_cannot_do(
    contoso: Tenant,
) -> None:
    ann = await contoso.reader()
    lower = {name.lower(): value for name, value in WINDOW.items()}

    fine = await ann.get(DELTA, **lower)
    windowless = await ann.get(DELTA)
    selecting = await ann.get(DELTA, **(WINDOW | {"$select": "subject"}))

    assert fine.status_code == 200
    assert refusal(windowless) == (400, "ErrorInvalidParameter")
    assert refusal(selecting) == (400, "ErrorInvalidUrlQuery")


async def test_preferences_count_on_every_call(contoso: Tenant) -> None:
    contoso.hold(recurrence=WEEKLY)
    ann = await contoso.reader()
    prefer = 'outlook.timezone="Tokyo Standard Time", IdType="ImmutableId", odata.maxpagesize=1'

    preferred = await ann.get(DELTA, prefer, **WINDOW)
    plain = await ann.read(preferred.json()["@odata.nextLink"])

    assert preferred.headers["preference-applied"] == (
        'outlook.timezone="Tokyo Standard Time", IdType="ImmutableId", odata.maxpagesize=1'
    )
    assert len(preferred.json()["value"]) == 1
    assert preferred.json()["value"][0]["start"]["timeZone"] == "Tokyo Standard Time"
    assert plain["value"][0]["start"]["timeZone"] == "UTC"
    assert plain["value"][0]["seriesMasterId"] != preferred.json()["value"][0]["id"]


async def test_410_comes_with_a_location_to_start_again_at(contoso: Tenant) -> None:
    contoso.hold()
    ann = await contoso.reader()
    _, link = await ann.round()
    contoso.world.faults.add("microsoft.delta", "410")

    gone = await ann.get(link)
    fresh, _ = await ann.round(gone.headers["location"])

    assert refusal(gone) == (410, "SyncStateNotFound")
    assert gone.headers["location"].endswith("&$deltatoken=")
    assert subjects(fresh) == ["Review"]


async def test_a_calendar_with_a_lost_history_answers_410(contoso: Tenant) -> None:
    ann = await contoso.reader()
    _, link = await ann.round()
    contoso.calendar().epoch += 1

    assert refusal(await ann.get(link)) == (410, "SyncStateNotFound")


@pytest.mark.parametrize(("kind", "status"), [("400_sync_state", 400), ("404_sync_state", 404)])
async def test_a_dead_token_may_also_be_400_or_404(contoso: Tenant, kind: str, status: int) -> None:
    ann = await contoso.reader()
    _, link = await ann.round()
    contoso.world.faults.add("microsoft.delta", kind)

    assert refusal(await ann.get(link)) == (status, "syncStateNotFound")


async def test_a_page_may_be_empty_and_the_round_goes_on(contoso: Tenant) -> None:
    contoso.hold()
    ann = await contoso.reader()
    contoso.world.faults.add("microsoft.delta", "empty_page")

    first = await ann.read(DELTA, **WINDOW)
    rows, _ = await ann.round(first["@odata.nextLink"])

    assert first["value"] == []
    assert subjects(rows) == ["Review"]


async def test_a_wedged_cursor_tells_the_same_rows_with_ever_new_links(contoso: Tenant) -> None:
    contoso.hold()
    ann = await contoso.reader()
    contoso.world.faults.add("microsoft.delta", "endless", ALWAYS)

    pages = [await ann.read(DELTA, **WINDOW)]
    for _ in range(4):
        pages.append(await ann.read(pages[-1]["@odata.nextLink"]))

    assert len({page["@odata.nextLink"] for page in pages}) == 5
    assert {tuple(subjects(page["value"])) for page in pages} == {("Review",)}


async def test_an_id_may_be_told_twice_in_a_round_and_the_last_one_counts(
    contoso: Tenant,
) -> None:
    meeting = contoso.hold()
    edits.move(contoso.world, meeting.id, at(25, 9), at(25, 10))
    ann = await contoso.reader()
    contoso.world.faults.add("microsoft.delta", "repeat")

    rows, _ = await ann.round()

    assert rows[0]["id"] == rows[1]["id"]
    assert [r["start"]["dateTime"][:10] for r in rows] == ["2026-11-23", "2026-11-25"]


async def test_changes_may_lag_behind_by_a_round(contoso: Tenant) -> None:
    ann = await contoso.reader()
    _, link = await ann.round()
    contoso.hold()
    contoso.world.faults.add("microsoft.delta", "lag")

    nothing, later = await ann.round(link)
    rows, _ = await ann.round(later)

    assert (nothing, subjects(rows)) == ([], ["Review"])


async def test_a_touched_series_is_told_again_as_a_whole(contoso: Tenant) -> None:
    meeting = contoso.hold(recurrence=WEEKLY)
    ann = await contoso.reader()
    before, link = await ann.round()
    edits.touch(contoso.world, meeting.id)

    rows, _ = await ann.round(link)

    assert ids(rows) == ids(before)


async def test_a_guests_answer_is_told_to_the_organiser_and_not_to_other_guests(
    contoso: Tenant,
) -> None:
    contoso.world.directory.add_account("outlook", "cy@contoso.test", "Cy")
    meeting = contoso.hold(attendees=[Guest(email=BOB), Guest(email="cy@contoso.test")])
    ann, cy = await contoso.reader(), await contoso.reader("cy@contoso.test")
    links = [(await each.round())[1] for each in (ann, cy)]
    edits.respond(contoso.world, meeting.id, BOB, "accepted")

    told = [(await each.round(link))[0] for each, link in zip((ann, cy), links, strict=True)]

    assert [len(rows) for rows in told] == [1, 0]


async def test_replaying_every_round_gives_what_the_view_shows(contoso: Tenant) -> None:
    ann = await contoso.reader()
    held: dict[str, dict[str, Any]] = {}
    _, link = await ann.round()
    one = contoso.hold("One")
    weekly = contoso.hold("Weekly", day=24, recurrence=WEEKLY)
    link = await replay(ann, held, link)
    edits.cancel(contoso.world, weekly.id, "20261201T080000Z")
    edits.move(contoso.world, one.id, at(26, 9), at(26, 10))
    link = await replay(ann, held, link)
    edits.move(contoso.world, weekly.id, at(25, 12), at(25, 13))
    await replay(ann, held, link)

    shown = {r["id"]: r["start"] for r in await ann.view()}

    assert {i: r["start"] for i, r in held.items() if r["type"] != "seriesMaster"} == shown


async def replay(reader: Reader, held: dict[str, dict[str, Any]], link: str) -> str:
    """Take in a round as providers.md says is safe: a told series replaces what was held of it."""
    rows, link = await reader.round(link)
    told = {r["id"] for r in rows if r.get("type") == "seriesMaster"}
    for known in [i for i, r in held.items() if r.get("seriesMasterId") in told]:
        del held[known]
    for row in rows:
        if "@removed" in row:
            held.pop(row["id"], None)
        else:
            held[row["id"]] = row
    return link


def kinds(rows: list[dict[str, Any]]) -> list[str]:
    return [r.get("type", "removed") for r in rows]


def subjects(rows: list[dict[str, Any]]) -> list[str]:
    return [r.get("subject", "") for r in rows]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [r["id"] for r in rows]


def windowed(path: str) -> str:
    return f"{path}?" + "&".join(f"{name}={value}" for name, value in WINDOW.items())


def refusal(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()["error"]["code"]
