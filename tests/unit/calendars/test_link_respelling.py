from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.link_respelling import respell
from meetbot_calendar.calendars.meeting_links import find_link, room_of
from meetbot_calendar.calendars.meeting_platforms import recognise
from meetbot_calendar.calendars.model import LinkField

THREAD = "l/meetup-join/19%3ameeting_NjA2Mzc%40thread.v2/0?context=%7b%22Tid%22%3a%22a%22%7d"

RESPELT = [
    # Zoom's apps, and the page that opens them.
    ("zoommtg://zoom.us/join?confno=123456789&pwd=a.B-1", "https://zoom.us/j/123456789?pwd=a.B-1"),
    (
        "zoommtg://us02web.zoom.us/join?action=join&confno=85173157171&pwd=x&zc=0&uname=Jane",
        "https://us02web.zoom.us/j/85173157171?pwd=x",
    ),
    ("ZOOMMTG://Zoom.us/join?confno=123456789", "https://zoom.us/j/123456789"),
    ("zoomus://zoom.us/join?confno=123-456-789", "https://zoom.us/j/123456789"),
    (
        "zoommtg://www.zoomgov.com/join?action=join&confno=1612345678",
        "https://www.zoomgov.com/j/1612345678",
    ),
    ("zoommtg://zoom.us/start?confno=123456789&zak=secret", "https://zoom.us/j/123456789"),
    ("https://zoom.us/join?confno=123456789&pwd=x%2By", "https://zoom.us/j/123456789?pwd=x%2By"),
    ("zoom.us/join?confno=123456789", "https://zoom.us/j/123456789"),
    (
        "https://acme.zoom.us/join?confno=123456789&tk=t.x",
        "https://acme.zoom.us/j/123456789?tk=t.x",
    ),
    # Teams' apps.
    (f"msteams:/{THREAD}", f"https://teams.microsoft.com/{THREAD}"),
    (f"msteams://{THREAD}", f"https://teams.microsoft.com/{THREAD}"),
    (f"msteams://teams.microsoft.com/{THREAD}", f"https://teams.microsoft.com/{THREAD}"),
    ("msteams:/meet/33749853217630?p=x", "https://teams.microsoft.com/meet/33749853217630?p=x"),
    ("msteams://teams.live.com/meet/9361792952021", "https://teams.live.com/meet/9361792952021"),
    # A number in groups.
    ("https://zoom.us/j/123-456-7890", "https://zoom.us/j/1234567890"),
    ("https://zoom.us/j/851-7315-7171?pwd=x-1", "https://zoom.us/j/85173157171?pwd=x-1"),
    ("https://acme.zoom.us/w/123.456.789#success", "https://acme.zoom.us/w/123456789#success"),
    ("https://zoom.us/j/123%20456%207890", "https://zoom.us/j/1234567890"),
    ("https://zoom.us/j/123%C2%A0456%C2%A07890", "https://zoom.us/j/1234567890"),
    ("https://zoom.us/wc/join/123-456-7890", "https://zoom.us/wc/join/1234567890"),
    ("zoom.us/j/123 456 7890", "https://zoom.us/j/1234567890"),
    ("https://zoom.us/j/851 7315 7171?pwd=x", "https://zoom.us/j/85173157171?pwd=x"),
    ("https://zoom.us/j/123\u2013456\u20137890", "https://zoom.us/j/1234567890"),
    ("https://zoom.us/j/123\xa0456\xa07890", "https://zoom.us/j/1234567890"),
    # A question mark that was escaped once too often.
    ("https://zoom.us/j/123456789%3Fpwd%3Da.1", "https://zoom.us/j/123456789?pwd=a.1"),
    ("https://zoom.us/j/123456789%3fpwd=a?b=c", "https://zoom.us/j/123456789?pwd=a&b=c"),
    # A Meet code without hyphens.
    ("https://meet.google.com/abcdefghij", "https://meet.google.com/abc-defg-hij"),
    ("meet.google.com/abcdefghij/?authuser=0", "https://meet.google.com/abc-defg-hij/?authuser=0"),
]


@pytest.mark.parametrize(("typed", "url"), RESPELT)
def test_what_only_an_app_or_a_hand_writes_is_joined_as_a_browser_does(
    typed: str, url: str
) -> None:
    found = find_link((LinkField("description", f"Join: {typed} now"),))

    assert found is not None
    assert found.url.lower() == url.lower()
    assert found.room == room_of(url)
    assert recognise(found.url) is not None


@pytest.mark.parametrize(("typed", "url"), RESPELT)
def test_a_spelling_is_mended_inside_a_wrapping_and_in_an_anchor(typed: str, url: str) -> None:
    if ":" not in typed:
        typed = f"https://{typed}"
    wrapped = f"https://nam11.safelinks.protection.outlook.com/?url={quote(typed, safe='')}&data=5"
    anchor = f'<a href="{typed}">Join</a>'

    assert room_of(wrapped) == room_of(url)
    assert room_of(anchor) == room_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "zoommtg://zoom.us.evil.com/join?confno=123456789",
        "zoommtg://evilzoom.us/join?confno=123456789",
        "zoommtg://zoom.us@evil.com/join?confno=123456789",
        "zoommtg://zoom.us",
        "zoommtg://zoom.us/join",
        "zoommtg://zoom.us/join?confno=",
        "zoommtg://zoom.us/join?confno=abc",
        "zoommtg://zoom.us/join?confno=123456789012",
        "zoomphonecall://+4930123456",
        "msteams:/l/chat/0/0?users=a@b.c",
        "msteams:/l/channel/19%3ax%40thread.tacv2/General",
        "msteams://evil.com/l/meetup-join/19%3ax%40thread.v2/0",
        "notmsteams.com/l/meetup-join/19%3ax%40thread.v2/0",
        "https://zoom.us/join",
        "https://zoom.us/join?confno=",
        "https://zoom.us.evil.com/join?confno=123456789",
        "https://zoom.us/j/123-456",
        "https://zoom.us/j/123-456-7890-1",
        "https://zoom.us/j/123 456 78901",
        "https://zoom.us/rec/123-456-7890",
        "https://zoom.us/webinar/register/123-456-7890",
        "https://meet.google.com/onboarding",
        "https://meet.google.com/conference",
        "https://meet.google.com/abcdefghi",
        "https://meet.google.com/abcdefghijk",
        "https://meet.google.com/tel/abcdefghij",
        "https://meet.google.com.evil.com/abcdefghij",
        "https://g.co/abcdefghij",
    ],
)
def test_no_spelling_makes_a_room_of_what_is_none(url: str) -> None:
    assert find_link((LinkField("description", url),)) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://zoom.us/j/123456789",
        "https://zoom.us/j/123456789?pwd=123-456-7890",
        "https://meet.google.com/abc-defg-hij",
        "https://example.com/123-456-7890",
        "https://teams.microsoft.com/meet/33749853217630",
    ],
)
def test_what_a_browser_joins_as_it_stands_is_left(url: str) -> None:
    assert respell(url) is None


@given(
    st.sampled_from(["zoommtg://", "zoomus://", "msteams:/l/", "https://zoom.us/j/", "https://"]),
    st.text(max_size=100),
)
def test_any_spelling_is_mended_or_left_but_never_breaks(opening: str, rest: str) -> None:
    respelt = respell(opening + rest)

    assert respelt is None or respelt.startswith("https://")
