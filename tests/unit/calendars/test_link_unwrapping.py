import base64
import re
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.link_unwrapping import unwrap
from meetbot_calendar.calendars.meeting_links import find_link
from meetbot_calendar.calendars.model import LinkField

TEAMS = (
    "https://teams.microsoft.com/l/meetup-join/19%3ameeting_NjA2%40thread.v2/0"
    "?context=%7b%22Tid%22%3a%22b8291b4b%22%2c%22Oid%22%3a%22216d2e11%22%7d"
)
ZOOM = "https://zoom.us/j/123456789"
TARGETS = (
    TEAMS,
    "https://meet.google.com/abc-defg-hij",
    "https://us02web.zoom.us/j/85173157171?pwd=aB-c_d.1",
    "https://teams.microsoft.com/meet/33749853217630?p=em7xplMpIFquiFGvn8",
    "https://acme.webex.com/acme/j.php?MTID=m0a1b2c3d4e5f",
    "https://whereby.com/my-room",
)


def _safe_link(url: str) -> str:
    host = "https://nam11.safelinks.protection.outlook.com/"
    return f"{host}?url={quote(url, safe='')}&data=05%7C01%7C&sdata=x%3D&reserved=0"


def _google(url: str) -> str:
    return f"https://www.google.com/url?sa=D&q={quote(url, safe='')}&usg=AOvVaw0"


def _proofpoint_v1(url: str) -> str:
    return f"https://urldefense.proofpoint.com/v1/url?u={quote(url, safe=':/')}&k=oIvRg1&s=a5e5"


def _proofpoint_v2(url: str) -> str:
    escaped = quote(url, safe="/").replace("-", "%2D").replace("_", "%5F")
    value = escaped.replace("/", "_").replace("%", "-")
    return f"https://urldefense.proofpoint.com/v2/url?u={value}&d=DwMFaQ&c=x&r=y&m=z&s=w&e="


def _proofpoint_v3(url: str) -> str:
    """Write a target as v3 does: unsafe characters taken out, runs of them as one mark."""
    runs = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    removed: list[str] = []

    def take_out(match: re.Match[str]) -> str:
        removed.append(match[0])
        return "*" if len(match[0]) == 1 else f"**{runs[len(match[0]) - 2]}"

    body = re.sub(r"[^A-Za-z0-9:/.?=&_-]{1,65}", take_out, url)
    token = base64.urlsafe_b64encode("".join(removed).encode()).decode().rstrip("=")
    return f"https://urldefense.com/v3/__{body}__;{token}!!Mak6IKo!PdGqXy$"


def _barracuda(url: str) -> str:
    return f"https://linkprotect.cudasvc.com/url?a={quote(url, safe='')}&c=E,1,x&typo=1"


def _cisco(url: str) -> str:
    return f"https://secure-web.cisco.com/1abcDEF-ghi_jkl/{quote(url, safe='')}"


def _sophos(url: str) -> str:
    value = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    return f"https://eu-central-1.protection.sophos.com/?d=x.us&u={value}&p=m&i=n"


WRAPPINGS: tuple[Callable[[str], str], ...] = (
    _safe_link,
    _google,
    _proofpoint_v1,
    _proofpoint_v2,
    _proofpoint_v3,
    _barracuda,
    _cisco,
    _sophos,
)


@pytest.mark.parametrize("wrap", WRAPPINGS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_wrapping_comes_off_and_the_target_is_as_it_was(
    wrap: Callable[[str], str], target: str
) -> None:
    assert unwrap(wrap(target)) == target


@pytest.mark.parametrize(
    ("wrapped", "target"),
    [
        (
            "https://urldefense.com/v3/__https://us02web.zoom.us/j/123456789?pwd=a__;!!x!y$",
            "https://us02web.zoom.us/j/123456789?pwd=a",
        ),
        (
            "https://urldefense.com/v3/__https://zoom.us/j/123456789__;",
            "https://zoom.us/j/123456789",
        ),
        (
            "https://urldefense.us/v3/__https:/zoom.us/j/123456789__;!!x!y$",
            "https://zoom.us/j/123456789",
        ),
        (
            (
                "https://urldefense.com/v3/__https://teams.microsoft.com/l/meetup-join/"
                "19*3ameeting_NjA2*40thread.v2/0?context=*7b*22Tid*22*3a*22b*22*7d__;JSUlJSUlJSUl!!x!y$"
            ),
            (
                "https://teams.microsoft.com/l/meetup-join/"
                "19%3ameeting_NjA2%40thread.v2/0?context=%7b%22Tid%22%3a%22b%22%7d"
            ),
        ),
        (
            (
                "https://eur01.safelinks.protection.outlook.com/ap/t-59584e83/"
                "?url=https%3A%2F%2Fteams.microsoft.com%2Fmeet%2F33749853217630%3Fp%3Dx&data=1"
            ),
            "https://teams.microsoft.com/meet/33749853217630?p=x",
        ),
        (
            "https://gcc02.safelinks.protection.office365.us/?data=x&amp;url=https%3A%2F%2Fzoom.us%2Fj%2F1",
            "https://zoom.us/j/1",
        ),
        (
            (
                "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html"
                "?url=https%3A%2F%2Fzoom.us%2Fj%2F1&locale=en"
            ),
            "https://zoom.us/j/1",
        ),
        (
            "https://nam11.safelinks.protection.outlook.com/?url=https%253A%252F%252Fzoom.us%252Fj%252F1",
            "https://zoom.us/j/1",
        ),
        ("https://www.google.de/url?url=https://zoom.us/j/1&rct=j", "https://zoom.us/j/1"),
        ("https://www.google.co.uk/url?q=https://zoom.us/j/1", "https://zoom.us/j/1"),
        (
            "https://meet.google.com/linkredirect?authuser=0&dest=https%3A%2F%2Fzoom.us%2Fj%2F1",
            "https://zoom.us/j/1",
        ),
        (
            "https://accounts.google.com/ServiceLogin?continue=https%3A%2F%2Fmeet.google.com%2Fabc-defg-hij",
            "https://meet.google.com/abc-defg-hij",
        ),
        (
            (
                "https://teams.microsoft.com/dl/launcher/launcher.html"
                "?url=%2F_%23%2Fl%2Fmeetup-join%2F19%3Ax%40thread.v2%2F0%3Fcontext%3D1&type=meetup-join"
            ),
            "https://teams.microsoft.com/l/meetup-join/19:x@thread.v2/0?context=1",
        ),
    ],
)
def test_a_wrapping_seen_in_the_wild_comes_off(wrapped: str, target: str) -> None:
    assert unwrap(wrapped) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://zoom.us/j/123456789",
        "https://nam11.safelinks.protection.outlook.com/",
        "https://nam11.safelinks.protection.outlook.com/?url=",
        "https://nam11.safelinks.protection.outlook.com/?data=x",
        "https://safelinks.protection.outlook.com.evil.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1",
        "https://www.google.com/search?q=https%3A%2F%2Fzoom.us%2Fj%2F1",
        "https://www.google.com/url",
        "https://google.evil.com/url?q=https://zoom.us/j/1",
        "https://protect-us.mimecast.com/s/AbCdEf",
        "https://urldefense.proofpoint.com/v2/url?d=x",
        "https://urldefense.com/v3/__https://zoom.us/j/1*__;!!x!y$"[:-1],
        "https://urldefense.com/v3/__https://zoom.us/j/1**A__;JQ!!x!y$",
        "https://urldefense.com/v3/__https://zoom.us/j/1__;JSUl!!x!y$",
        "https://urldefense.com/v3/__https://zoom.us/j/1*__;\u00e9!!x!y$",
        "https://urldefense.com/v3/__https://zoom.us/j/1*__;J!!x!y$",
        "https://eu.protection.sophos.com/?u=A",
        "https://secure-web.cisco.com/",
        "https://teams.microsoft.com/dl/launcher/launcher.html?url=https://evil.com",
    ],
)
def test_what_is_no_wrapping_or_a_broken_one_gives_nothing(url: str) -> None:
    assert unwrap(url) is None


@given(st.sampled_from(TARGETS), st.lists(st.sampled_from(WRAPPINGS), max_size=4))
def test_a_link_is_found_however_it_is_wrapped(
    target: str, wrappings: list[Callable[[str], str]]
) -> None:
    text = target
    for wrap in wrappings:
        text = wrap(text)

    found = find_link((LinkField("description", f"Join <{text}> now"),))

    assert found is not None
    assert found.url == target


@given(
    st.sampled_from(
        ["https://urldefense.com/v3/__", "https://a.safelinks.protection.outlook.com/?url="]
    ),
    st.text(max_size=200),
)
def test_any_wrapping_is_undone_or_left_but_never_breaks(opening: str, rest: str) -> None:
    inner = unwrap(opening + rest)

    assert inner is None or inner


def test_a_target_that_is_escaped_without_end_is_left_escaped() -> None:
    escaped = ZOOM
    for _ in range(9):
        escaped = quote(escaped, safe="")

    inner = unwrap(f"https://www.google.com/url?q={escaped}")

    assert inner is not None
    assert inner.startswith("https%25")


def test_wrappings_without_end_are_given_up() -> None:
    url = TARGETS[1]
    for _ in range(12):
        url = f"https://www.google.com/url?q={url}"

    assert find_link((LinkField("location", url),)) is None
