import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.meeting_links import room_of
from meetbot_calendar.calendars.meeting_platforms import recognise

THREAD = "19%3ameeting_NjA2Mzc%40thread.v2"
COORDS = "eyJjb252ZXJzYXRpb25JZCI6IjE5Om1lZXRpbmdfTmpBMk16Y0B0aHJlYWQudjIiLCJ0ZW5hbnRJZCI6InQifQ"
CODE_COORDS = base64.b64encode(b'{"meetingCode":"33749853217630","passcode":"x"}').decode()
WEBEX_ID = "cdedf9ae847b4f9993f87e62a8889dad"

SAME_ROOM = {
    "google_meet:abc-defg-hij": (
        "https://meet.google.com/abc-defg-hij",
        "http://meet.google.com/abc-defg-hij",
        "HTTPS://MEET.GOOGLE.COM/ABC-DEFG-HIJ",
        "https://meet.google.com:443/abc-defg-hij",
        "https://meet.google.com./abc-defg-hij",
        "https://meet.google.com/abc-defg-hij/",
        "https://meet.google.com/abc-defg-hij?authuser=0&hs=pCv",
        "https://meet.google.com/abc-defg-hij#top",
        "https://meet.google.com/_meet/abc-defg-hij?ijlm=1",
    ),
    "google_meet:lookup/c2dhdn5hqs": ("https://meet.google.com/lookup/c2dhdn5hqs?hs=151",),
    "google_meet:lookup/our-team-standup": (
        "https://meet.google.com/lookup/our-team-standup",
        "https://meet.google.com/our-team-standup",
        "https://g.co/meet/Our-Team-Standup",
    ),
    "zoom:85173157171": (
        "https://zoom.us/j/85173157171",
        "https://zoom.us/j/85173157171?pwd=Abc123",
        "https://zoom.us/j/85173157171&pwd=Abc123",
        "https://us02web.zoom.us/j/85173157171",
        "https://us02web.zoom.us/j/85173157171#success",
        "https://www.zoom.com/j/85173157171?pwd=Abc123",
        "https://amazon.zoom.us/j/85173157171?pwd=corp",
        "https://emea.amazon.zoom.us/j/85173157171",
        "https://www.amazon.zoom.us/j/85173157171",
        "https://zoom.us/w/85173157171?tk=x",
        "https://zoom.us/s/85173157171?zak=x",
        "https://zoom.us/wc/join/85173157171",
        "https://app.zoom.us/wc/85173157171/join?pwd=secret",
        "https://app.zoom.us/wc/85173157171/start",
        "https://zoom.com/j/85173157171",
        "https://acme.zoom.com.cn/j/85173157171",
        "https://acme.zoom-x.de/j/85173157171",
        "https://zoom.us//j/85173157171/",
    ),
    "zoom:gov/1612345678": (
        "https://zoomgov.com/j/1612345678",
        "https://frbmeetings.zoomgov.com/j/1612345678?pwd=xyz",
    ),
    "zoom:my/zoom.us/john.smith": (
        "https://zoom.us/my/john.smith",
        "https://zoom.us/my/John.Smith?pwd=x",
        "https://us02web.zoom.us/my/john.smith",
        "https://www.zoom.us/my/john.smith",
        "https://zoom.com/my/john.smith",
        "https://www.zoom.com/my/john.smith?pwd=x",
        "https://us02web.zoom.com/my/john.smith",
    ),
    "zoom:my/acme.zoom.us/john.smith": (
        "https://acme.zoom.us/my/john.smith",
        "https://acme.zoom.com/my/john.smith",
        "https://www.acme.zoom.us/my/john.smith",
    ),
    "zoom:my/myapp.zoom.us/jane.doe": ("https://myapp.zoom.us/my/jane.doe",),
    "zoom:my/zoomgov.com/jane.doe": (
        "https://zoomgov.com/my/jane.doe",
        "https://www.zoomgov.com/my/jane.doe",
    ),
    "teams:19:meeting_NjA2Mzc@thread.v2": (
        f"https://teams.microsoft.com/l/meetup-join/{THREAD}/0?context=%7b%22Tid%22%3a%22a%22%7d",
        f"https://teams.microsoft.com/l/meetup-join/{THREAD}/0?context=%7B%22Tid%22%3A%22b%22%7D",
        f"https://teams.microsoft.com/l/meetup-join/{THREAD.replace('%3a', '%3A')}/0",
        f"https://teams.microsoft.com/l/meetup-join/{THREAD.replace('%', '%25')}/0",
        f"https://teams.microsoft.com/l/meetup-join/{THREAD}",
        "https://teams.microsoft.com/l/meetup-join/19:meeting_NjA2Mzc@thread.v2/0?anon=true",
        "https://teams.cloud.microsoft/l/meetup-join/19:meeting_NjA2Mzc@thread.v2/0",
        "https://teams.microsoft.com/_#/l/meetup-join/19:meeting_NjA2Mzc@thread.v2/0?context=x",
        f"https://teams.microsoft.com/v2/?meetingjoin=true#/l/meetup-join/{THREAD}/0?context=x",
        f"https://teams.microsoft.com/light-meetings/launch?agent=web&coords={COORDS}%3D%3D",
        f"https://teams.microsoft.com/light-meetings/launch?coords={COORDS}&agent=web",
        f"https://gov.teams.microsoft.us/l/meetup-join/{THREAD}/0?context=x",
        f"https://dod.teams.microsoft.us/l/meetup-join/{THREAD}/0?context=x",
        f"https://acme.teams.microsoft.com/l/meetup-join/{THREAD}/0?context=x",
        f"https://teams.microsoft.com/_?tenantId=x#/l/meetup-join/{THREAD}/0?context=x",
    ),
    "teams:19:general@thread.tacv2/1690000000000": (
        "https://teams.microsoft.com/l/meetup-join/19%3ageneral%40thread.tacv2/1690000000000?context=x",
    ),
    "teams:33749853217630": (
        "https://teams.microsoft.com/meet/33749853217630",
        "https://teams.microsoft.com/meet/33749853217630?p=em7xplMpIFquiFGvn8&anon=true",
        "https://teams.cloud.microsoft/meet/33749853217630?p=em7xplMpIFquiFGvn8",
        "https://acme.teams.microsoft.com/meet/33749853217630?p=em7xplMpIFquiFGvn8",
        "https://teams.microsoft.com/v2/?meetingjoin=true#/meet/33749853217630?p=em7&anon=true",
        f"https://teams.microsoft.com/light-meetings/launch?agent=web&coords={CODE_COORDS}",
    ),
    "teams:live/33749853217630": (
        "https://teams.live.com/meet/33749853217630?p=x",
        f"https://teams.live.com/light-meetings/launch?coords={CODE_COORDS}&agent=web",
    ),
    "teams:live/9361792952021": ("https://teams.live.com/meet/9361792952021?p=abc12345",),
    "teams:gov/12345678901234": (
        "https://gov.teams.microsoft.us/meet/12345678901234",
        "https://gov.teams.microsoft.com/meet/12345678901234?p=x",
        "https://teams.microsoft.us/meet/12345678901234?p=x",
    ),
    "teams:dod/12345678901234": ("https://dod.teams.microsoft.us/meet/12345678901234",),
    "webex:acme/jane.doe": (
        "https://acme.webex.com/meet/jane.doe",
        "https://acme.webex.com/meet/Jane.Doe?token=x",
        "https://acme.webex.com/join/jane.doe",
        "https://acme.webex.com/webappng/sites/acme/dashboard/pmr/jane.doe?siteurl=acme",
    ),
    "webex:acme.my/jane": ("https://acme.my.webex.com/meet/jane",),
    "webex:acme.webex.com.cn/jane": (
        "https://acme.webex.com.cn/meet/jane",
        "https://acme.webex.com.cn/join/Jane",
    ),
    "webex:agency.webexgov.us/jane": ("https://agency.webexgov.us/meet/jane",),
    "webex:acme/number/123456789": (
        "https://acme.webex.com/acme/m.php?AT=JM&MK=123456789",
        "https://acme.webex.com/acme/m.php?AT=JM&MK=123456789&AN=Jane&PW=x",
    ),
    "webex:mtid/m0a1b2c3d4e5f": (
        "https://acme.webex.com/acme/j.php?MTID=m0a1b2c3d4e5f",
        "https://acme.webex.com/acme/j.php?mtid=m0a1b2c3d4e5f&PW=x",
        "https://acme.webex.com/acme-en/k2/j.php?MTID=m0a1b2c3d4e5f",
        "https://acme.webex.com/acme/onstage/g.php?MTID=m0a1b2c3d4e5f&d=1",
        "https://m.webex.com/acme/j.php?MTID=m0a1b2c3d4e5f",
        "https://acme.webex.com.cn/acme/j.php?MTID=m0a1b2c3d4e5f",
        f"https://a.webex.com/wbxmjs/joinservice/sites/a/meeting/download/{WEBEX_ID}?MTID=m0a1b2c3d4e5f",
    ),
    f"webex:id/{WEBEX_ID}": (
        f"https://acme.webex.com/wbxmjs/joinservice/sites/acme/meeting/download/{WEBEX_ID}?p=1",
        f"https://acme.webex.com/webappng/sites/acme/meeting/download/{WEBEX_ID}",
        f"https://acme.webex.com/webappng/sites/acme/meeting/info/{WEBEX_ID.upper()}",
        "https://acme.webex.com/m/cdedf9ae-847b-4f99-93f8-7e62a8889dad",
    ),
    "gotomeeting:123456789": (
        "https://global.gotomeeting.com/join/123456789",
        "https://www.gotomeeting.com/join/123-456-789",
        "https://gotomeeting.com/join/123456789",
        "https://meet.goto.com/123456789",
        "https://app.goto.com/meeting/123456789",
        "https://app.goto.com/meet/123456789",
        "https://app.gotomeeting.com/?meetingId=123456789",
    ),
    "gotomeeting:jane.doe": (
        "https://gotomeet.me/Jane.Doe",
        "https://www.gotomeet.me/jane.doe",
        "https://meet.goto.com/jane.doe",
        "https://global.gotomeeting.com/join/jane.doe",
    ),
    "gotomeeting:5551234567": ("https://gotomeet.me/5551234567",),  # a room named so
    "gotomeeting:acme/jane.doe": ("https://www.gotomeet.me/Acme/Jane.Doe",),
    "bluejeans:123456789": (
        "https://bluejeans.com/123456789",
        "https://www.bluejeans.com/123456789/",
        "https://bluejeans.com/123456789/4321",
        "https://bluejeans.com/123456789/4321?src=calendarLink",
        "https://bluejeans.com/123456789/4321/webrtc",
        "https://bluejeans.com/123456789/browser",
        "https://acme.bluejeans.com/123456789",
    ),
    "bluejeans:4711": ("https://bluejeans.com/4711",),  # somebody's extension
    "bluejeans:event/jwzxgqkr": ("https://primetime.bluejeans.com/a2m/live-event/JWZXGQKR",),
    "whereby:my-room": (
        "https://whereby.com/my-room",
        "https://www.whereby.com/My-Room?embed",
    ),
    "whereby:acme/my-room": ("https://acme.whereby.com/my-room?roomKey=x",),
}

NO_MEETING = (
    # nothing to read
    "",
    "abc-defg-hij",
    "https://",
    "https:///j/123456789",
    "ftp://zoom.us/j/123456789",
    "javascript:https://zoom.us/j/123456789",
    "https://example.com/meeting/123",
    # hosts that look like another's
    "https://zoom.us.evil.com/j/123456789",
    "https://evil-zoom.us/j/123456789",
    "https://notzoom.us/j/123456789",
    "https://zoom.us@evil.com/j/123456789",
    "https://zoom.us:pass@evil.com/j/123456789",
    "https://user@zoom.us/j/123456789",
    "https://evil.com\\@zoom.us/j/123456789",
    "https://zoom.us\\.evil.com/j/123456789",
    "https://evil.com#@zoom.us/j/123456789",
    "https://evil.com?zoom.us/j/123456789",
    "https://evil.com/zoom.us/j/123456789",
    "https://evil.com/?next=https://zoom.us/j/123456789",
    "https://xn--zom-0qa.us/j/123456789",
    "https://xn--80ak6aa92e.zoom.us/j/123456789",
    "https://zo\u043em.us/j/123456789",
    "https://zoom\u3002us/j/123456789",
    "https://zoom%2eus/j/123456789",
    "https://zoom.us:8443/j/123456789",
    "http://zoom.us:443/j/123456789",
    "https://zoom.us.:80/j/123456789",
    "https://-.zoom.us/j/123456789",
    "https://zoom..us/j/123456789",
    "https://[::1]/j/123456789",
    "https://zoom.us/j/123456789?pwd=\x00",
    "https://zoom.us/j/123456789 ",
    "https://meet.google.com.evil.com/abc-defg-hij",
    "https://meet-google.com/abc-defg-hij",
    "https://teams.microsoft.com.evil.com/meet/33749853217630?p=x",
    "https://teams.microsoft.co/meet/33749853217630",
    "https://webex.com.evil.com/meet/jane",
    "https://evilwhereby.com/room-1",
    # Google's pages
    "https://meet.google.com/",
    "https://meet.google.com/new",
    "https://meet.google.com/landing",
    "https://meet.google.com/about",
    "https://meet.google.com/how-it-works",
    "https://meet.google.com/How-It-Works/",
    "https://meet.google.com/getting-started",
    "https://meet.google.com/privacy-policy",
    "https://meet.google.com/_meet",
    "https://meet.google.com/_meet/whoops?sc=232",
    "https://meet.google.com/_meet/ready",
    "https://meet.google.com/lookup",
    "https://meet.google.com/lookup/",
    "https://meet.google.com/abc-defg-hij/extra",
    "https://meet.google.com/INVALID_CODE!",
    "https://meet.google.com/tel/abc-defg-hij?pin=1",
    "https://tel.meet/abc-defg-hij?pin=1",
    "https://support.google.com/meet/answer/9303069",
    "https://stream.meet.google.com/stream/abc12ab1-abc1-1234-123a-a1234a1abc12",
    "https://g.co/abc-defg-hij",
    "https://g.co/meet/",
    # Zoom's
    "https://zoom.us/",
    "https://zoom.us/join",
    "https://zoom.us/j/",
    "https://zoom.us/j/test",
    "https://zoom.us/j/123",
    "https://zoom.us/j/123456789012",
    "https://zoom.us/j/../123456789",
    "https://zoom.us/meeting/register/tJ0lce-gqzsqHtO3",
    "https://zoom.us/webinar/register/WN_1",
    "https://zoom.us/rec/share/abc",
    "https://zoom.us/u/abdcd",
    "https://zoom.us/zoomconference?m=x",
    "https://acme.zoom.us/my/",
    "https://support.zoom.us/hc/en-us/articles/201362193",
    "https://support.zoom.us/my/account",
    "https://support.zoom.us/j/123456789",
    "https://support.zoom.com/my/account",
    "https://us06web.zoom.us/launch/jc/85173157171",  # the meeting's chat
    "https://us06web.zoom.us/meetings/85173157171/invitations?signature=x",
    "https://acme.zoom.us/rec/play/85173157171",
    "https://zoom.us/w_p/85173157171/x",
    "https://zoom.us/postattendee?mn=85173157171",
    "https://events.zoom.us/ev/abc123",
    "https://applications.zoom.us/addon/invitation/detail?meetingUuid=x",
    # Teams'
    "https://teams.microsoft.com/",
    "https://teams.microsoft.com/v2/",
    "https://teams.microsoft.com/l/meeting/new",
    "https://teams.microsoft.com/l/meetup-join",
    "https://teams.microsoft.com/l/meetup-join/",
    "https://teams.microsoft.com/l/channel/something",
    "https://teams.microsoft.com/l/chat/0/0?users=a@b.c",
    "https://teams.microsoft.com/l/team/19%3ax%40thread.tacv2/conversations",
    "https://teams.microsoft.com/meet/channel?p=Aa1Bb2Cc3Dd4Ee5",
    "https://teams.microsoft.com/meet",
    "https://teams.microsoft.com/meetingOptions/?organizerId=1&threadId=19_meeting",
    "https://teams.microsoft.com/light-meetings/launch?coords=%%%",
    "https://teams.microsoft.com/light-meetings/launch?coords=W10",
    "https://teams.microsoft.com/light-meetings/launch?coords=e30",
    "https://teams.live.com/light-meetings/launch?anon=true&lightExperience=true",
    "https://teams.microsoft.com/light-meetings/launch",
    "https://teams.live.com/join/9361792952021",
    "https://dialin.teams.microsoft.com/abc?id=1",
    "https://dialin.teams.microsoft.com/meet/33749853217630",
    "https://events.teams.microsoft.com/meet/33749853217630",
    "https://a.b.teams.microsoft.com/meet/33749853217630",
    "https://acme-teams.microsoft.com/meet/33749853217630",
    "https://acme.teams.live.com/meet/9361792952021",
    "https://events.teams.microsoft.com/event/abc@def",
    "https://aka.ms/JoinTeamsMeeting",
    # Webex's
    "https://webex.com/meet/jane",
    "https://help.webex.com/en-us/article/nrebr2p",
    "https://help.webex.com/join/jane",
    "https://www.webex.com/meet/jane",
    "https://signin.webex.com/join/jane",
    "https://www.webex.com/test-meeting.html",
    "https://acme.webex.com/",
    "https://acme.webex.com/join",
    "https://acme.webex.com/acme/j.php",
    "https://acme.webex.com/acme/j.php?RGID=r1",
    "https://acme.webex.com/acme/ldr.php?RCID=r1",
    "https://acme.webex.com/acme/globalcallin.php?MTID=m0a1b2c3d4e5f",
    "https://acme.webex.com/meet/a/b",
    "https://acme.webex.com/acme/m.php?AT=LI&MK=123456789",
    "https://acme.webex.com/acme/m.php?AT=JM",
    "https://acme.webex.com/weblink/register/r0a1b2c3d4e5f",
    "https://acme.webex.com/recordingservice/sites/acme/recording/0a1b2c3d4e5f",
    "https://acme.webexgov.com/meet/jane",
    "https://acme.webex.com.cn.evil.com/meet/jane",
    "https://help.webex.com.cn/meet/jane",
    "https://webexgov.us/meet/jane",
    # GoTo's
    "https://global.gotomeeting.com/install",
    "https://global.gotomeeting.com/join",
    "https://global.gotomeeting.com/join/123",  # the beginning of a number
    "https://support.goto.com/meeting/help",
    "https://meet.goto.com/install",
    "https://meet.goto.com/openerbinaries/564/GoToOpener.msi",
    "https://gotomeet.me/acme/jane/doe",
    "https://gotomeet.me/acme/help",
    "https://meet.goto.com/",
    "https://app.goto.com/meetings",
    "https://app.gotomeeting.com/",
    "https://register.gotowebinar.com/register/123456789",
    # BlueJeans'
    "https://bluejeans.com/",
    "https://www.bluejeans.com/numbers",
    "https://support.bluejeans.com/s/article/1",
    "https://support.bluejeans.com/123456789",
    "https://bluejeans.com/111",
    "https://bluejeans.com/404",
    "https://www.bluejeans.com/2020",
    "https://www.bluejeans.com/2020/05",
    "https://www.bluejeans.com/blog/2020",
    "https://bluejeans.com/123456789/recordings",
    "https://bluejeans.com/playback/s/abc123",
    "https://primetime.bluejeans.com/a2m/events/playback/e0c34c7f",
    "https://primetime.bluejeans.com/a2m/register/jwzxgqkr",
    # Whereby's
    "https://whereby.com/",
    "https://whereby.com/information",
    "https://whereby.com/information/embedded",
    "https://whereby.com/user/login",
    "https://whereby.com/blog",
    "https://docs.whereby.com/whereby-101",
    "https://app.whereby.com/login",
    "https://help.whereby.com/article",
    "https://whereby.com/@jane",
)


@pytest.mark.parametrize(
    ("room", "url"), [(room, url) for room, urls in SAME_ROOM.items() for url in urls]
)
def test_a_room_is_the_same_however_its_link_is_spelt(room: str, url: str) -> None:
    assert room_of(url) == room


@pytest.mark.parametrize(
    ("room", "url"), [(room, url) for room, urls in SAME_ROOM.items() for url in urls]
)
def test_a_room_says_its_platform(room: str, url: str) -> None:
    meeting = recognise(url)

    assert meeting is not None
    assert meeting.room == room
    assert meeting.room.startswith(f"{meeting.platform}:")


@pytest.mark.parametrize("url", NO_MEETING)
def test_a_page_or_a_host_that_only_looks_right_joins_nothing(url: str) -> None:
    assert recognise(url) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Webex tickets, Teams threads: letters count.
        (
            "https://a.webex.com/a/j.php?MTID=mAbCdEf",
            "https://a.webex.com/a/j.php?MTID=mabcdef",
        ),
        (
            "https://teams.microsoft.com/l/meetup-join/19:meeting_Ab@thread.v2/0",
            "https://teams.microsoft.com/l/meetup-join/19:meeting_aB@thread.v2/0",
        ),
        ("https://a.webex.com/meet/jane", "https://b.webex.com/meet/jane"),
        ("https://a.webex.com/meet/jane", "https://a.webex.com.cn/meet/jane"),
        (
            "https://a.webex.com/a/m.php?AT=JM&MK=123456789",
            "https://b.webex.com/b/m.php?AT=JM&MK=123456789",
        ),
        ("https://gotomeet.me/acme/jane", "https://gotomeet.me/emca/jane"),
        ("https://a.whereby.com/room-1", "https://whereby.com/room-1"),
        ("https://a.zoom.us/my/jane.d", "https://b.zoom.us/my/jane.d"),
        ("https://zoom.us/my/jane.d", "https://zoomgov.com/my/jane.d"),
        ("https://evil.zoom.us/my/zoom.us", "https://zoom.us/my/zoom.us"),
        ("https://zoom.us/j/1612345678", "https://zoomgov.com/j/1612345678"),
        (
            "https://teams.live.com/meet/9361792952021",
            "https://teams.microsoft.com/meet/9361792952021",
        ),
        (
            "https://teams.microsoft.com/l/meetup-join/19:g@thread.tacv2/1690000000000",
            "https://teams.microsoft.com/l/meetup-join/19:g@thread.tacv2/1690000000001",
        ),
    ],
)
def test_what_makes_another_meeting_makes_another_room(one: str, other: str) -> None:
    rooms = {room_of(one), room_of(other)}

    assert len(rooms) == 2
    assert None not in rooms


@given(
    st.text(max_size=200)
    | st.builds(
        "{}{}{}".format,
        st.sampled_from([url for urls in SAME_ROOM.values() for url in urls]),
        st.text(max_size=20),
        st.sampled_from(["", "/x", "?a=b", "#/meet/1", "@evil.com"]),
    )
)
def test_any_text_is_recognised_or_not_but_never_breaks(text: str) -> None:
    meeting = recognise(text)

    assert meeting is None or meeting.room
