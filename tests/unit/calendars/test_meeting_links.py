import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.link_scanning import decode_entities, links_in
from meetbot_calendar.calendars.meeting_links import FoundLink, LinkCandidate, find_link, room_of
from meetbot_calendar.calendars.model import LinkField
from tests.recorded import recorded

PLACES: dict[str, Any] = {
    "hangoutLink": "hangout_link",
    "location": "location",
    "description": "description",
    "conferenceData": "conference",
    "onlineMeeting": "online_meeting",
    "eventURL": "url",
    "title": "title",
}
ORDER: tuple[Any, ...] = (
    "conference",
    "online_meeting",
    "hangout_link",
    "url",
    "location",
    "description",
    "title",
)
ZOOM = "https://zoom.us/j/123456789"


def _in_description(text: str) -> str | None:
    found = find_link((LinkField("description", text),))
    return found.url if found else None


def test_the_published_samples_are_found() -> None:
    wrong = {}

    for case in json.loads(recorded("meeting_links.json").read_bytes())["cases"]:
        found = find_link((LinkField(PLACES[case["where"]], case["text"]),))
        got = {"platform": found.platform, "url": found.url} if found else None
        if got not in (case["expect"], *case.get("accept", ())):
            wrong[case["id"]] = got

    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (ZOOM, ZOOM),
        (f"  {ZOOM}\n", ZOOM),
        (f"Join: {ZOOM}.", ZOOM),
        (f"({ZOOM})", ZOOM),
        (f"(see {ZOOM}).", ZOOM),
        (f"(((see {ZOOM}).).).", ZOOM),
        (f"<{ZOOM}>", ZOOM),
        (f'"{ZOOM}"', ZOOM),
        (f"'{ZOOM}'", ZOOM),
        (f"**{ZOOM}**", ZOOM),
        (f"_{ZOOM}_", ZOOM),
        (f"__{ZOOM}?pwd=a_b__", f"{ZOOM}?pwd=a_b"),
        (f"{ZOOM}?pwd=a_", f"{ZOOM}?pwd=a_"),
        (f"{ZOOM}%20", ZOOM),
        (f'<a href="{ZOOM}%20%0D%0A">x</a>', ZOOM),
        (f"https://www.google.com/url?q={ZOOM}%2520&sa=D", ZOOM),
        ('{"url": "https:\\/\\/zoom.us\\/j\\/123456789"}', ZOOM),
        (f"[Join]({ZOOM}?pwd=x)", f"{ZOOM}?pwd=x"),
        (f"[{ZOOM}]({ZOOM})", ZOOM),
        (f"Room 4;{ZOOM};Room 5", ZOOM),
        (f"{ZOOM},,1234#", ZOOM),
        (f"{ZOOM},https://example.com/agenda", ZOOM),
        (f"https://example.com/agenda;{ZOOM}", ZOOM),
        (f"Link:{ZOOM}!", ZOOM),
        (f"回\u200b議{ZOOM}、よろしく", ZOOM),
        (f"{ZOOM}\u200bPasscode", ZOOM),
        (f"{ZOOM}&nbsp;Passcode: 1", ZOOM),
        (f"{ZOOM}?pwd=a&amp;tk=b", f"{ZOOM}?pwd=a&tk=b"),
        (f"{ZOOM}?pwd=a&amp;amp;tk=b", f"{ZOOM}?pwd=a&tk=b"),
        (f"{ZOOM}?a=1&region=us&copy=2&pwd=x", f"{ZOOM}?a=1&region=us&copy=2&pwd=x"),
        (f"<a href='{ZOOM}'>x</a>", ZOOM),
        (f'<A HREF = "{ZOOM}">x</A>', ZOOM),
        (f"<a href={ZOOM}>x</a>", ZOOM),
        ('<a href="https://zoom.us/j/\n  123456789">x</a>', ZOOM),
        ("https://zoom.us/j/123<wbr>456789", ZOOM),
        ("&#104;ttps&#58;//zoom&period;us&sol;j/123456789", ZOOM),
        ("HTTPS://ZOOM.US/j/123456789", "HTTPS://ZOOM.US/j/123456789"),
        ("zoom.us/j/123456789", ZOOM),
        ("Zoom:zoom.us/j/123456789", ZOOM),
        ("meet.google.com/abc-defg-hij", "https://meet.google.com/abc-defg-hij"),
        ("us02web.zoom.us/j/123456789?pwd=x", "https://us02web.zoom.us/j/123456789?pwd=x"),
        (
            'https://teams.microsoft.com/l/meetup-join/19:x@thread.v2/0?context={"Tid":"a"}>',
            'https://teams.microsoft.com/l/meetup-join/19:x@thread.v2/0?context={"Tid":"a"}',
        ),
    ],
)
def test_a_link_is_found_in_whatever_stands_around_it(text: str, url: str) -> None:
    assert _in_description(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Room 5, second floor",
        "Zoom me",
        "zoom.us",
        "mail me at jane@zoom.us/j/123456789",
        "https://evil.com/zoom.us/j/123456789",
        "https://evil.com/https://zoom.us/j/123456789",
        "https://evil.com/?u=https://zoom.us/j/123456789",
        "https:\\/\\/evil.com\\/zoom.us\\/j\\/123456789",
        "https://evil.com\\/zoom.us/j/123456789",
        "https://zoom.us.evil.com/j/123456789",
        "zoom.us.evil.com/j/123456789",
        "evil-zoom.us/j/123456789",
        "https://zoom.us@evil.com/j/123456789",
        '<a href="https://evil.com\\@zoom.us/j/123456789">x</a>',
        '<a href="https://z&#1086;om.us/j/123456789">x</a>',
        "Help: https://support.zoom.us/hc/en-us/articles/201362193 Dial in: https://tel.meet/abc-defg-hij",
        "https://meet.google.com/tel/abc-defg-hij https://dialin.teams.microsoft.com/x?id=1",
        "tel:+49-30-123",
        "https://meet.jit.si/Standup",
    ],
)
def test_no_link_is_made_up(text: str) -> None:
    assert _in_description(text) is None


@pytest.mark.parametrize(
    "decoy",
    [
        "https://support.zoom.us/hc/en-us/articles/201362193",
        "https://zoom.us/meeting/register/tJ0lce-gqzsqHtO3",
        "https://meet.google.com/tel/abc-defg-hij?pin=1",
        "https://aka.ms/JoinTeamsMeeting",
        "https://teams.microsoft.com/meetingOptions/?organizerId=1",
        "https://nam11.safelinks.protection.outlook.com/?url=https%3A%2F%2Fbad%xx",
        "https://nam11.safelinks.protection.outlook.com/?url=https://nam11.safelinks.protection.outlook.com/?url=x",
        "https://protect-us.mimecast.com/s/AbCdEf",
    ],
)
def test_a_decoy_before_the_link_does_not_hide_it(decoy: str) -> None:
    assert _in_description(f"{decoy}\nJoin {ZOOM}") == ZOOM


def test_a_better_place_is_believed_first() -> None:
    links = [f"https://zoom.us/j/{number}" for number in range(900000000, 900000000 + len(ORDER))]
    fields = [LinkField(place, link) for place, link in zip(ORDER, links, strict=True)]

    for (better, url), (worse, _) in pairwise(zip(fields, links, strict=True)):
        found = find_link((worse, better))

        assert found is not None
        assert (found.url, found.place) == (url, better.place)


def test_a_structured_place_without_a_known_link_gives_way() -> None:
    fields = (LinkField("conference", "https://meet.jit.si/Standup"), LinkField("title", ZOOM))

    found = find_link(fields)

    assert found is not None
    assert (found.url, found.place) == (ZOOM, "title")


def test_every_meeting_that_was_named_is_kept_once() -> None:
    fields = (
        LinkField("description", f"{ZOOM} or https://zoom.us/j/987654321, not {ZOOM}"),
        LinkField("location", "https://meet.google.com/abc-defg-hij"),
    )

    found = find_link(fields)

    candidates = (
        LinkCandidate(
            platform="google_meet",
            url="https://meet.google.com/abc-defg-hij",
            room="google_meet:abc-defg-hij",
            place="location",
        ),
        LinkCandidate(platform="zoom", url=ZOOM, room="zoom:123456789", place="description"),
        LinkCandidate(
            platform="zoom",
            url="https://zoom.us/j/987654321",
            room="zoom:987654321",
            place="description",
        ),
    )
    assert found == FoundLink(
        platform="google_meet",
        url="https://meet.google.com/abc-defg-hij",
        room="google_meet:abc-defg-hij",
        place="location",
        candidates=candidates,
    )


def test_the_spelling_with_the_password_is_taken() -> None:
    fields = (
        LinkField("location", ZOOM),
        LinkField("description", f"https://us02web.zoom.us/j/123456789?pwd=abc and {ZOOM}?pwd=def"),
    )

    found = find_link(fields)

    assert found is not None
    assert found.url == "https://us02web.zoom.us/j/123456789?pwd=abc"
    assert len(found.candidates) == 1


def test_an_event_without_fields_has_no_link() -> None:
    assert find_link(()) is None


@pytest.mark.parametrize(
    ("link", "room"),
    [
        ("zoom.us/j/123456789", "zoom:123456789"),
        (" https://acme.zoom.us/j/123456789?pwd=x ", "zoom:123456789"),
        ("https://example.com", None),
        ("", None),
    ],
)
def test_a_link_alone_names_its_room(link: str, room: str | None) -> None:
    assert room_of(link) == room


@pytest.mark.timeout(5)  # it takes a twentieth of a second; what grows faster takes minutes
@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "a.",
        "a-",
        "https://",
        "<https://",
        "https://zoom.us/",
        f"{ZOOM} ",
        'href="',
        "href='",
        "href    ",
        "&amp;",
        "&#",
        "&#9",
        "a.zoom.",
        " zoom.us/j/12345678",
        "https://x.y/?context={",
        "https://nam11.safelinks.protection.outlook.com/?url=",
        "https://urldefense.com/v3/__https:/****__;",
        "https://protect.checkpoint.com/v2/___https:/",
        "___.",
        ").",
        "%20",
        "https://zoom.us/%20",
        "\\/",
        "zoommtg://",
        "msteams:/l/",
        "/j/123 456 789 ",
        "https://zoom.us/j/1%3F",
    ],
)
def test_a_hostile_text_of_a_megabyte_is_read_at_once(unit: str) -> None:
    found = _in_description(unit * (1_000_000 // len(unit)))

    assert found is None or found.startswith("https://zoom.us/j/12345678")


@pytest.mark.timeout(5)  # it takes a fifth of a second
@pytest.mark.parametrize(
    "wrapping",
    [
        "https://www.google.com/url?q=",
        "https://secure-web.cisco.com/1/",
        "https://urldefense.com/v3/__",
        "https://urldefense.proofpoint.com/v2/url?u=",
        "https://protect.checkpoint.com/v2/___",
    ],
)
@pytest.mark.parametrize("depth", [8, 60, 200])
def test_a_megabyte_of_deep_wrappings_is_read_at_once(wrapping: str, depth: int) -> None:
    count = 1_000_000 // (depth * len(wrapping))

    text = " ".join(f"{wrapping * depth}{number}" for number in range(count))

    assert _in_description(text) is None


def test_a_link_at_either_end_of_a_huge_text_is_found() -> None:
    filler = "lorem ipsum " * 100_000

    assert _in_description(f"{ZOOM} {filler}") == ZOOM
    assert _in_description(f"{filler} {ZOOM}") == ZOOM


def test_a_number_of_thousands_of_digits_is_no_character() -> None:
    text = f"&#{'9' * 10_000};"

    assert decode_entities(text) == text


@given(st.text(max_size=300))
def test_any_text_is_scanned_without_breaking(text: str) -> None:
    assert all(isinstance(link, str) for link in links_in(text))
    assert find_link((LinkField("description", text),)) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_link_on_a_line_of_its_own_is_found_whatever_stands_around(
    before: str, after: str
) -> None:
    assert _in_description(f"{before}\n{ZOOM}\n{after}") == ZOOM
