"""Events: listed by time and by change, explained, and never another person's."""

from datetime import timedelta

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox import edits
from tests.journeys.stage import ANN, MEET
from tests.web.house import Json
from tests.web.staged import RECORD_ALL, Staged


async def _events(staged: Staged, user_id: str, query: str = "") -> Json:
    answer = await staged.door.get(f"/v1/calendar/users/{user_id}/events{query}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_an_event_is_told_with_its_decision_and_its_bot(staged: Staged) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)

    (event,) = (await _events(staged, ann))["results"]
    one = (await staged.door.get(f"/v1/calendar/users/{ann}/events/{event['id']}")).json()

    assert one == event
    assert event["title"] == "Kick-off"
    assert (event["start_time"], event["end_time"]) == (
        "2026-11-23T13:00:00Z",
        "2026-11-23T13:30:00Z",
    )
    assert (event["provider"], event["account_id"]) == ("google", ANN)
    assert (event["meeting_platform"], event["meeting_url"]) == ("google_meet", MEET)
    assert {person["email"] for person in event["attendees"]} >= {"dana@customer.example"}
    assert event["decision"]["action"] == "record"
    assert event["decision"]["rule_set_version"] == 1
    assert [bot["status"] for bot in event["bots"]] == ["scheduled"]
    assert event["bots"][0]["join_at"] == "2026-11-23T12:58:30Z"


async def test_pages_lead_through_all_events_in_order(staged: Staged) -> None:
    for number in range(5):
        await staged.meet(f"Meeting {number}", hours=number + 1)
    ann = await staged.ann()

    first = await _events(staged, ann, "?limit=2")
    second = await _events(staged, ann, f"?limit=2&cursor={first['next']}")
    third = await _events(staged, ann, f"?limit=2&cursor={second['next']}")
    back = await _events(staged, ann, f"?limit=2&cursor={third['previous']}")

    titles = [[row["title"] for row in page["results"]] for page in (first, second, third)]
    assert titles == [["Meeting 0", "Meeting 1"], ["Meeting 2", "Meeting 3"], ["Meeting 4"]]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    assert back["results"] == second["results"]


async def test_a_stretch_of_time_takes_all_that_overlap_it(staged: Staged) -> None:
    await staged.meet("at one", hours=1)
    await staged.meet("at two", hours=2)
    await staged.meet("at three", hours=3)
    ann = await staged.ann()

    found = await _events(
        staged, ann, "?time_min=2026-11-23T13:20:00Z&time_max=2026-11-23T15:00:00%2B01:00"
    )

    assert [row["title"] for row in found["results"]] == ["at one"]


async def test_filters_leave_out_what_is_not_asked_for(staged: Staged) -> None:
    await staged.meet("Kick-off")
    ann = await staged.ann()

    counts = [
        len((await _events(staged, ann, query))["results"])
        for query in (
            "?provider=google",
            "?provider=microsoft",
            f"?account_id={ANN.upper()}",
            "?account_id=other@acme.example",
            "?calendar_id=cal_none",
        )
    ]

    assert counts == [1, 0, 1, 0, 0]


async def test_after_a_watermark_stands_what_changed_since_deletions_included(
    staged: Staged,
) -> None:
    await staged.meet("stays")
    await staged.meet("moves", hours=2)
    await staged.meet("goes", hours=3)
    ann = await staged.ann()
    mark = (await _events(staged, ann))["watermark"]
    quiet = await _events(staged, ann, f"?since={mark}")
    _change(staged)
    await staged.stage.pass_time(timedelta(minutes=6))

    changed = await _events(staged, ann, f"?since={mark}")
    after = await _events(staged, ann, f"?since={changed['watermark']}")

    assert (quiet["results"], after["results"]) == ([], [])
    assert {(row["title"], row["is_deleted"]) for row in changed["results"]} == {
        ("moves", False),
        ("goes", True),
    }
    titles = [row["title"] for row in (await _events(staged, ann))["results"]]
    assert titles == ["stays", "moves"]


def _change(staged: Staged) -> None:
    world = staged.stage.world
    meetings = {meeting.title: meeting for meeting in world.state.meetings.values()}
    moved, gone = meetings["moves"], meetings["goes"]
    quarter = timedelta(minutes=15)
    edits.move(world, moved.id, moved.start + quarter, moved.end + quarter)
    edits.cancel(world, gone.id)


async def test_changes_can_be_followed_page_by_page_and_watermark_by_watermark(
    staged: Staged,
) -> None:
    ann = await staged.ann()
    begin = (await _events(staged, ann))["watermark"]
    for number in range(5):
        await staged.meet(f"Meeting {number}", hours=number + 1)
    await staged.stage.pass_time(timedelta(minutes=6))

    by_cursor = await _followed(staged, ann, begin, "cursor")
    by_mark = await _followed(staged, ann, begin, "since")

    assert by_cursor == by_mark
    assert sorted(by_cursor) == [f"Meeting {number}" for number in range(5)]


async def _followed(staged: Staged, user_id: str, begin: str, by: str) -> list[str]:
    titles: list[str] = []
    page = await _events(staged, user_id, f"?limit=2&since={begin}")
    while True:
        titles += [row["title"] for row in page["results"]]
        if not page["has_more"]:
            return titles
        way = f"since={page['watermark']}"
        if by == "cursor":
            way = f"since={begin}&cursor={page['next']}"
        page = await _events(staged, user_id, f"?limit=2&{way}")


async def test_a_watermark_that_is_none_of_this_persons_is_refused(staged: Staged) -> None:
    ann = await staged.ann()
    path = f"/v1/calendar/users/{ann}/events"
    mark = (await _events(staged, ann))["watermark"]

    odd = await staged.door.get(f"{path}?since=nonsense")
    both = await staged.door.get(f"{path}?since={mark}&time_min=2026-11-23T12:00:00Z")
    late = await staged.door.get(f"{path}?time_min=yesterday")

    assert [answer.status_code for answer in (odd, both, late)] == [400, 400, 400]
    assert odd.json()["code"] == "invalid_watermark"
    assert late.json()["errors"][0]["pointer"] == "/query/time_min"


async def test_another_persons_event_is_not_there(staged: Staged) -> None:
    await staged.meet("Kick-off")
    ann = await staged.ann()
    bob = await staged.stage.connect(Provider.OUTLOOK, "bob@acme.example", customer_user_id="bob")
    (event,) = (await _events(staged, ann))["results"]

    answer = await staged.door.get(f"/v1/calendar/users/{bob.user_id}/events/{event['id']}")

    assert answer.status_code == 404


async def test_every_link_an_event_names_is_told_with_why_one_of_them_is_joined(
    staged: Staged,
) -> None:
    zoom = "https://zoom.us/j/98765432101"
    webex = "https://acme.webex.com/meet/ann"
    await staged.meet("Kick-off", link=MEET, location=zoom, description=f"or {webex}")
    ann = await staged.ann()
    (event,) = (await _events(staged, ann))["results"]

    path = f"/v1/calendar/users/{ann}/events/{event['id']}"
    plain = (await staged.door.get(path)).json()
    told = (await staged.door.get(f"{path}?trace=true")).json()

    assert "meeting_links" not in plain
    assert [(link["url"], link["place"], link["chosen"]) for link in told["meeting_links"]] == [
        (MEET, "conference", True),
        (zoom, "location", False),
        (webex, "description", False),
    ]
    assert [link["why"] for link in told["meeting_links"]] == [
        "It stands in the conference data, and in no place that is believed sooner does another.",
        "It stands in the location: one in the conference data is believed sooner.",
        "It stands in the description: one in the conference data is believed sooner.",
    ]
