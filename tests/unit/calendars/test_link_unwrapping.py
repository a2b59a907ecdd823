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


def _check_point(url: str) -> str:
    return f"https://protect.checkpoint.com/v2/r01/___{url}___.YzJ1OmFjbWU6YzpvOmQ5"


def _trend_micro(url: str) -> str:
    host = "https://ddec1-0-en-ctp.trendmicro.com:443/wis/clicktime/v1/query"
    return f"{host}?url={quote(url, safe='')}&umid=edab3d48&auth=3bd1ed0e"


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
    _check_point,
    _trend_micro,
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
        # Guards that leave the target as it stands, or fold its double slash.
        (
            "https://secure-web.cisco.com/1abc-x/https://zoom.us/j/1?pwd=a.b",
            "https://zoom.us/j/1?pwd=a.b",
        ),
        ("https://secure-web.cisco.com/1abc/https:/zoom.us/j/1", "https://zoom.us/j/1"),
        (
            "https://secure-web.cisco.com/1abc/https%253A%252F%252Fzoom.us%252Fj%252F1",
            "https://zoom.us/j/1",
        ),
        (
            "https://protect.checkpoint.com/v2/r02/___https://meet.google.com/sbb-mnif-nvn___",
            "https://meet.google.com/sbb-mnif-nvn",
        ),
        (
            "https://url.avanan.click/v2/___https:/zoom.us/j/1?pwd=a_b___.YXAzOmFjbWU6YTpvOmY",
            "https://zoom.us/j/1?pwd=a_b",
        ),
        (
            "https://protect.checkpoint.com/v2/r01/___https%3A/zoom.us/j/1___.YXAzOm",
            "https://zoom.us/j/1",
        ),
        (
            (
                "https://2xgl9tx2.r.us-east-1.awstrack.me/L0/https:%2F%2Fzoom.us%2Fj%2F1%3Fpwd=a"
                "/1/0100019f61999914-65076fde/Oc8q6pi3=473"
            ),
            "https://zoom.us/j/1?pwd=a",
        ),
        # Sophos without the slash, and with the other alphabet of base64.
        (
            "https://eu-west-1.protection.sophos.com?d=zoom.us&u=aHR0cHM6Ly96b29tLnVzL2ovMT9wd2Q9fn5%2BfQ&i=x",
            "https://zoom.us/j/1?pwd=~~~}",
        ),
    ],
)
def test_a_wrapping_seen_in_the_wild_comes_off(wrapped: str, target: str) -> None:
    assert unwrap(wrapped) == target


@pytest.mark.parametrize(
    "opening",
    [
        "https://nam11.safelinks.protection.outlook.com/?url=",
        "https://chn01.safelinks.protection.outlook.cn/?url=",
        "https://can01.safelinks.protection.partner.outlook.cn/?url=",
        "https://nam11.safelinks.outlook.cn/?url=",
        "https://usg01.safelinks.protection.outlook.us/?url=",
        "https://gcc02.safelinks.protection.office365.us/?url=",
        "https://safelinks.protection.apps.mil/?url=",
        "https://linkprotect.cudasvc.com/?c=E,1,x&a=",
        "https://clicktime.symantec.com/15xVcHh2qpEgPv5boCzmK?h=QCYVzyLUm8b=&u=",
        "https://protect2.fireeye.com/v1/url?k=84f6a8c0&q=1&e=6739af06&u=",
        "https://cas5-0-urlprotect.trendmicro.com:443/wis/clicktime/v1/query?url=",
        "https://urlsand.esvalabs.com/?e=ed7a584b&u=",
        "https://scanmail.trustwave.com/?c=1&d=x&u=",
        "https://link.edgepilot.com/s/4239f747/ca21cbCpKkOSLI5ZXNqTdQ?u=",
        "https://antiphishing.vadesecure.com/v4?f=x&u=",
        "https://m365.eu.vadesecure.com/safeproxy/v4?f=x&u=",
        "https://slack-redir.net/link?v=3&url=",
        "https://l.facebook.com/l.php?h=AT0&u=",
        "https://l.messenger.com/l.php?h=AT0&u=",
        "https://l.instagram.com/?e=AT0&u=",
        "https://l.wl.co/l?u=",
        "https://www.linkedin.com/redir/redirect?urlhash=x&url=",
        "https://www.linkedin.com/safety/go/?urlhash=x&url=",
        "https://www.youtube.com/redirect?event=x&q=",
    ],
)
def test_every_guard_and_redirector_that_carries_its_target_is_undone(opening: str) -> None:
    target = f"{ZOOM}?pwd=a.1"

    assert unwrap(f"{opening}{quote(target, safe='')}") == target
    assert unwrap(f"{opening}{quote(target, safe=':/?=')}&z=1") == target


@pytest.mark.parametrize("wrap", WRAPPINGS)
@pytest.mark.parametrize(
    "target",
    [
        "https://zoom.us.evil.com/j/123456789",
        "https://evilzoom.us/j/123456789",
        "https://zoom.us@evil.com/j/123456789",
        "https://zo\u043em.us/j/123456789",
        "https://support.zoom.us/hc/en-us/articles/201362193",
        "https://zoom.us/rec/share/123456789",
        "https://zoom.us/webinar/register/WN_123456789",
        "zoommtg://zoom.us.evil.com/join?confno=123456789",
    ],
)
def test_a_decoy_stays_a_decoy_inside_any_wrapping(wrap: Callable[[str], str], target: str) -> None:
    assert find_link((LinkField("url", wrap(target)),)) is None


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
        "https://secure-web.cisco.com/1abc",
        "https://secure-web.cisco.com/1abc/zoom.us",
        "https://protect.checkpoint.com/v2/r01/___https://zoom.us/j/1",
        "https://protect.checkpoint.com/v2/r01/___zoom.us/j/1___.x",
        "https://protect.checkpoint.com.evil.com/v2/r01/___https://zoom.us/j/1___.x",
        "https://success.trendmicro.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1",
        "https://www.linkedin.com/in/jane?url=https%3A%2F%2Fzoom.us%2Fj%2F1",
        "https://www.youtube.com/watch?q=https%3A%2F%2Fzoom.us%2Fj%2F1",
        "https://evilsafelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1",
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


@pytest.mark.parametrize("wrap", WRAPPINGS)
@pytest.mark.parametrize("depth", [6, 8, 12])
def test_a_link_is_found_however_deep_it_is_wrapped(wrap: Callable[[str], str], depth: int) -> None:
    url = ZOOM
    for layer in range(depth):
        url = wrap(url) if layer % 2 else _safe_link(url)

    found = find_link((LinkField("description", url),))

    assert found is not None
    assert found.url == ZOOM


def test_the_longest_link_is_found_ten_real_safe_links_deep() -> None:
    target = (
        "https://teams.microsoft.com/l/meetup-join/19%3ameeting_NzIyNzhlMGEtM2YyZC00ZmY0LTlhNzUtZmZj"
        "NWFmZGNlNzE2%40thread.v2/0?context=%7b%22Tid%22%3a%2272f988bf-86f1-41af-91ab-2d7cd011db47"
        "%22%2c%22Oid%22%3a%2264339082-ed84-4b0b-b4ab-004ae54f3747%22%7d"
    )
    routing = (
        "&data=05%7C02%7Cjane%40acme.com%7C1f9a0550737c41bd8c7d4c81dc1c4070%7C72f988bf86f141af91ab"
        "2d7cd011db47%7C0%7C0%7C638700000000000000%7CUnknown%7CTWFpbGZsb3d8eyJFbXB0eU1hcGkiOnRydWV9"
        "%7C0%7C%7C%7C&sdata=abcdefghijklmnop%2Bqrstuvwx%3D&reserved=0"
    )
    url = target
    for _ in range(10):
        host = "https://nam11.safelinks.protection.outlook.com/"
        url = f"{host}?url={quote(url, safe='')}{routing}"

    found = find_link((LinkField("description", f"Join: <{url}>"),))

    assert found is not None
    assert found.url == target


def test_wrappings_without_end_are_given_up() -> None:
    url = TARGETS[1]
    for _ in range(250):
        url = f"https://www.google.com/url?q={url}"

    assert find_link((LinkField("location", url),)) is None
