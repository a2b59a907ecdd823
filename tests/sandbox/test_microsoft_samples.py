"""Graph events that others recorded load into the sandbox and come out by the real protocol."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from meetbot_calendar.sandbox.microsoft.samples import brought, load_events, put_event
from tests.recorded import recorded
from tests.sandbox.outlook import Tenant


@pytest.fixture
def samples() -> Path:
    return recorded("graph_events")


async def test_every_sample_loads_and_comes_back_in_a_delta_or_a_tombstone(
    contoso: Tenant, samples: Path
) -> None:
    rows = load_events(contoso.world, samples, contoso.calendar(), to_present=True)
    ann = await contoso.reader()

    told, _ = await ann.round()

    live = {row.id for row in rows if not row.removed}
    assert len({row.id for row in rows}) == len(rows) == 44
    assert live <= {r["id"] for r in told}
    assert [row.id for row in rows if row.removed] == [
        "AAMkADk0MGFkODE3LWE4MmYtNDRhOS04OGQLkRkXbBznTvAADb6ytyAAA="
    ]


async def test_the_view_shows_every_sample_that_has_times_where_the_delta_does(
    contoso: Tenant, samples: Path
) -> None:
    load_events(contoso.world, samples, contoso.calendar(), to_present=True)
    ann = await contoso.reader()

    told, _ = await ann.round()

    shown = {r["id"] for r in await ann.view()}
    assert shown == {r["id"] for r in told if r.get("type") != "seriesMaster"}


async def test_recorded_events_lie_where_they_were_unless_brought_to_the_present(
    contoso: Tenant, samples: Path
) -> None:
    load_events(contoso.world, samples, contoso.calendar())
    ann = await contoso.reader()

    rows = await ann.view(startDateTime="2019-01-01T00:00:00Z", endDateTime="2020-01-01T00:00:00Z")

    assert {"Let's go for lunch", "Review strategy for Q3"} <= {r.get("subject") for r in rows}


async def test_a_request_shaped_event_gets_an_id_and_a_type_and_nothing_else(
    contoso: Tenant,
) -> None:
    put_event(contoso.world, contoso.calendar(), {"subject": "Bare"})
    ann = await contoso.reader()

    (row,) = await ann.view()

    assert set(row) == {
        "@odata.etag",
        "changeKey",
        "id",
        "lastModifiedDateTime",
        "subject",
        "type",
    }


async def test_a_zone_that_nobody_knows_comes_out_as_it_was(contoso: Tenant) -> None:
    stamp = {"dateTime": "2026-11-23T09:00:00.0000000", "timeZone": "tzone://Microsoft/Custom"}
    put_event(contoso.world, contoso.calendar(), {"id": "X=", "start": stamp, "end": stamp})
    ann = await contoso.reader()

    (row,) = await ann.view('outlook.timezone="Tokyo Standard Time"')

    assert row["start"] == stamp


async def test_an_occurrence_whose_master_is_nowhere_is_told_all_the_same(
    contoso: Tenant,
) -> None:
    when = {"dateTime": "2026-11-23T09:00:00.0000000", "timeZone": "UTC"}
    orphan = {"id": "O=", "seriesMasterId": "GONE=", "start": when, "end": when}
    put_event(contoso.world, contoso.calendar(), orphan)
    ann = await contoso.reader()

    rows, _ = await ann.round()
    master = await ann.get("/me/events/GONE=")

    assert [(r["id"], r["type"], r["seriesMasterId"]) for r in rows] == [
        ("O=", "occurrence", "GONE=")
    ]
    assert master.status_code == 404


def test_bringing_moves_whole_series_by_whole_weeks() -> None:
    uid = "040000008200E00074C5B7101A82E008{}824DDB122F0AD3010000000000000000" + "0" * 10
    events: list[dict[str, Any]] = [
        {
            "id": "M",
            "start": at("2017-08-14T09:00:00"),
            "end": at("2017-08-14T10:00:00"),
            "iCalUId": uid.format("00000000"),
            "cancelledOccurrences": ["OID.M.2017-08-28"],
            "recurrence": {
                "pattern": {"type": "weekly"},
                "range": {"startDate": "2017-08-14", "endDate": "0001-01-01"},
            },
        },
        {
            "id": "E",
            "seriesMasterId": "M",
            "originalStart": "2017-08-21T07:00:00Z",
            "start": at("2017-08-22T09:00:00"),
            "iCalUId": uid.format("07E10815"),
        },
        {"subject": "timeless"},
    ]

    master, exception, timeless = brought(events, date(2026, 11, 20))

    assert master["start"]["dateTime"] == "2026-11-23T09:00:00"
    assert master["recurrence"]["range"] == {"startDate": "2026-11-23", "endDate": "0001-01-01"}
    assert master["cancelledOccurrences"] == ["OID.M.2026-12-07"]
    assert exception["start"]["dateTime"] == "2026-12-01T09:00:00"
    assert exception["originalStart"] == "2026-11-30T07:00:00Z"
    assert [e["iCalUId"][32:40] for e in (master, exception)] == ["00000000", "07EA0B1E"]
    assert timeless == {"subject": "timeless"}


def at(wall: str) -> dict[str, str]:
    return {"dateTime": wall, "timeZone": "UTC"}
