import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from meetbot_calendar.calendars.model import (
    Account,
    ChangePage,
    Grant,
    Notice,
    Provider,
    RemovedEvent,
    WatchReceipt,
    Window,
)
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.calendars.recurrence import occurrences, rule_of
from meetbot_calendar.errors import (
    AccessExpired,
    CalendarGone,
    CursorExpired,
    GiveUp,
    InstallationFault,
    MeetbotError,
    PushUnsupported,
    ReconnectNeeded,
    Tampered,
    TryLater,
)
from meetbot_calendar.gateways.google.client import GoogleProvider
from meetbot_calendar.gateways.google.faults import api_fault
from meetbot_calendar.gateways.google.oauth import SCOPES, GoogleEndpoints
from meetbot_calendar.gateways.rounds import Limits
from meetbot_calendar.gateways.transport import Answer, Transport, open_transport
from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.faults import ALWAYS
from meetbot_calendar.sandbox.grants import Token
from meetbot_calendar.sandbox.meetings import Guest, Meeting, slot_key
from tests.gateways.far_ends import ANN, BOB, EVE, NOW, WINDOW, Site, standing, whole
from tests.loopback import listening, says

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OWN = CalendarRef(platform_id=ANN, account_id=ANN, is_primary=True)


class Google(msgspec.Struct, kw_only=True):
    """Ann's grant, and our client of the sandbox's Google."""

    site: Site
    transport: Transport
    grant: Grant

    def provider(self, **options: Any) -> GoogleProvider:
        url = f"{self.site.url}/google"
        ends = GoogleEndpoints(userinfo_url=f"{url}/v1/userinfo", api_url=f"{url}/calendar/v3")
        return GoogleProvider(self.transport, ends, **options)

    async def round(
        self,
        cursor: str | None = None,
        *,
        calendar: CalendarRef = OWN,
        window: Window = WINDOW,
        **options: Any,
    ) -> ChangePage:
        pages = self.provider(**options).changes(self.grant, calendar, cursor=cursor, window=window)
        return await whole(pages)

    def meeting(self, title: str = "Standup", start: datetime = NOW + DAY, **facts: Any) -> Meeting:
        guests = [Guest(email=BOB, response="accepted")]
        return self.site.world.add_meeting(
            ANN, title, start, start + HOUR, "Europe/Berlin", attendees=guests, **facts
        )


def a_grant(site: Site, email: str = ANN, scopes: tuple[str, ...] = SCOPES) -> Grant:
    """Let somebody have consented, long ago."""
    book = site.world.grants
    grant = book.allow("google-1", f"google:{email}", list(scopes))
    token = Token(
        token=f"ya29.{email}.{len(scopes)}",
        grant=grant.id,
        scopes=list(scopes),
        issued_at=NOW,
        used_at=NOW,
        expires_at=NOW + HOUR,
    )
    book.issue_access(token)
    return Grant(refresh_token="1//r", access_token=token.token, expires_at=NOW + HOUR)


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with open_transport() as transport, standing(Provider.GOOGLE) as site:
        yield Google(site=site, transport=transport, grant=a_grant(site))


def ids(page: ChangePage) -> list[str]:
    return [event.platform_id for event in page.events]


def titles(page: ChangePage) -> list[str | None]:
    return [event.content.title for event in page.events]


async def test_an_account_is_keyed_by_its_subject(google: Google) -> None:
    account = google.site.world.directory.account("google", ANN)

    found = await google.provider().account(google.grant)

    assert account is not None
    assert found == Account(key=account.subject, email=ANN)


async def test_the_older_userinfo_address_names_the_same_account(google: Google) -> None:
    ends = GoogleEndpoints(userinfo_url=f"{google.site.url}/google/oauth2/v2/userinfo")

    found = await GoogleProvider(google.transport, ends).account(google.grant)

    assert found == await google.provider().account(google.grant)


async def test_an_account_that_google_does_not_name_is_tried_later(google: Google) -> None:
    async with listening(says(b'{"sub": "1"}')) as end:
        provider = GoogleProvider(google.transport, GoogleEndpoints(userinfo_url=end.url))

        with pytest.raises(TryLater):
            await provider.account(google.grant)


async def test_every_page_of_the_calendar_list_is_read(google: Google) -> None:
    account = google.site.world.directory.account("google", ANN)
    assert account is not None
    for number in range(255):
        google.site.world.directory.add_calendar(account, f"Calendar {number}")

    found = await google.provider().calendars(google.grant)

    assert len({entry.platform_id for entry in found}) == 256
    assert [entry.platform_id for entry in found if entry.is_primary] == [ANN]
    assert len(google.site.asked("/calendarList")) == 2


async def test_a_first_round_gives_the_window_and_a_cursor_on_its_last_page(
    google: Google,
) -> None:
    google.meeting("Yesterday's", NOW - HOUR * 3)
    google.meeting("Standup", recurrence="RRULE:FREQ=DAILY;COUNT=3")
    google.meeting("Long over", NOW - DAY * 5)
    google.meeting("Far off", NOW + DAY * 40)

    pages = [
        page
        async for page in google.provider(page_size=2).changes(
            google.grant, OWN, cursor=None, window=WINDOW
        )
    ]

    assert [titles(page) for page in pages] == [["Yesterday's", "Standup"], ["Standup", "Standup"]]
    assert pages[0].cursor is None
    assert pages[1].cursor is not None


async def test_a_round_asks_for_the_same_things_on_every_page_and_with_the_token(
    google: Google,
) -> None:
    for number in range(3):
        google.meeting(f"Meeting {number}")
    first = await google.round(page_size=2)
    await google.round(first.cursor, page_size=2)

    asked = [
        {name: values[0] for name, values in parse_qs(urlsplit(each.target).query).items()}
        for each in google.site.asked("/events")
    ]
    window = {"timeMin": "2026-11-19T12:00:00Z", "timeMax": "2026-12-18T12:00:00Z"}
    always = {"singleEvents": "true", "maxResults": "2"}
    assert asked[0] == always | window
    assert asked[1] == always | window | {"pageToken": asked[1]["pageToken"]}
    assert asked[2] == always | {"syncToken": first.cursor}


async def test_a_later_round_gives_only_what_changed(google: Google) -> None:
    google.meeting("Untouched")
    moved = google.meeting("Moved")
    cancelled = google.meeting("Cancelled")
    first = await google.round()
    edits.move(google.site.world, moved.id, NOW + DAY * 2, NOW + DAY * 2 + HOUR)
    edits.cancel(google.site.world, cancelled.id)

    later = await google.round(first.cursor)

    assert ids(later) == [moved.id]
    assert later.removed == (RemovedEvent(platform_id=cancelled.id),)
    assert later.cursor not in (None, first.cursor)
    assert await google.round(later.cursor) == ChangePage(
        cursor=(await google.round(later.cursor)).cursor
    )


async def test_a_cancelled_occurrence_is_removed_alone(google: Google) -> None:
    meeting = google.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")
    first = await google.round()
    slot = slot_key(NOW + DAY * 2, all_day=False)
    edits.cancel(google.site.world, meeting.id, slot)

    later = await google.round(first.cursor)

    assert RemovedEvent(platform_id=f"{meeting.id}_{slot}") in later.removed
    assert f"{meeting.id}_{slot}" not in ids(later)


async def test_an_endless_series_is_followed_up_to_the_end_of_the_window(google: Google) -> None:
    meeting = google.meeting(recurrence="RRULE:FREQ=WEEKLY")
    first = await google.round()
    edits.edit(google.site.world, meeting.id, title="Renamed")

    later = await google.round(first.cursor)

    assert titles(later) == ["Renamed"] * 4
    assert len(later.removed) > 600
    assert all(gone.platform_id.startswith(meeting.id) for gone in later.removed)


@pytest.mark.parametrize("all_day", [False, True])
async def test_a_series_is_told_without_what_was_cancelled_of_it(
    google: Google, *, all_day: bool
) -> None:
    meeting = google.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=40", all_day=all_day)
    google.meeting("Other", recurrence="RRULE:FREQ=DAILY")
    for number in (1, 38):
        slot = slot_key(meeting.start + DAY * number, all_day=all_day)
        edits.cancel(google.site.world, meeting.id, slot)

    found = await google.provider().series(google.grant, OWN, meeting.id)

    assert found is not None
    starts = [*occurrences(found, after=NOW - DAY * 40)]
    assert [(when - starts[0]).days for when in starts] == [0, *range(2, 38), 39]
    assert rule_of(found) == "FREQ=DAILY;COUNT=40"


async def test_a_series_whose_instances_google_does_not_list_is_told_as_it_is(
    google: Google,
) -> None:
    meeting = google.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=4")
    google.site.world.faults.add("google.instances", "404")

    found = await google.provider().series(google.grant, OWN, meeting.id)

    assert found is not None
    assert found.lines == ("RRULE:FREQ=DAILY;COUNT=4",)


async def test_an_empty_page_is_not_the_end(google: Google) -> None:
    google.meeting("Standup")
    google.site.world.faults.add("google.events", "empty_page")

    found = await google.round()

    assert titles(found) == ["Standup"]
    assert found.cursor is not None


async def test_pages_that_turn_in_a_circle_are_an_endless_round(google: Google) -> None:
    google.meeting()
    google.site.world.faults.add("google.events", "loop_pages", times=ALWAYS)

    with pytest.raises(TryLater) as endless:
        await google.round()

    assert endless.value.code == "endless_round"
    assert len(google.site.asked("/events")) == 2


@pytest.mark.parametrize("limits", [Limits(pages=2), Limits(seconds=-1.0)])
async def test_a_round_of_too_many_pages_or_too_long_a_time_is_endless(
    google: Google, limits: Limits
) -> None:
    for number in range(3):
        google.meeting(f"Meeting {number}")

    with pytest.raises(TryLater) as endless:
        await google.round(page_size=1, limits=limits)

    assert endless.value.code == "endless_round"


async def test_a_lost_cursor_asks_for_everything_again(google: Google) -> None:
    first = await google.round()
    google.site.world.faults.add("google.events", "410")

    with pytest.raises(CursorExpired):
        await google.round(first.cursor)


async def test_a_cursor_of_other_parameters_asks_for_everything_again(google: Google) -> None:
    url = f"{google.site.url}/google/calendar/v3/calendars/{ANN}/events"
    bearer = {"authorization": f"Bearer {google.grant.access_token}"}
    other = (await google.transport.request("GET", url, headers=bearer)).json()["nextSyncToken"]

    with pytest.raises(CursorExpired):
        await google.round(other)


@pytest.mark.parametrize(
    ("trouble", "kind", "code"),
    [
        ("401", AccessExpired, "access_expired"),
        ("403_user_rate", TryLater, "throttled"),
        ("403_rate", TryLater, "throttled"),
        ("429", TryLater, "throttled"),
        ("403_quota", TryLater, "quota_exceeded"),
        ("403_not_configured", InstallationFault, "installation_fault"),
        ("403_forbidden", CalendarGone, "calendar_gone"),
        ("404", CalendarGone, "calendar_gone"),
        ("500", TryLater, "try_later"),
        ("503_json", TryLater, "try_later"),
        ("503_html", TryLater, "try_later"),
    ],
)
async def test_each_refusal_says_what_to_do_next(
    google: Google, trouble: str, kind: type[MeetbotError], code: str
) -> None:
    google.site.world.faults.add("google.events", trouble)

    with pytest.raises(kind) as refusal:
        await google.round()

    assert (type(refusal.value), refusal.value.code) == (kind, code)


async def test_a_used_up_quota_is_left_alone_for_hours(google: Google) -> None:
    google.site.world.faults.add("google.events", "403_quota")

    with pytest.raises(TryLater) as busy:
        await google.round()

    assert busy.value.after == timedelta(hours=2)


async def test_a_calendar_that_is_no_longer_shared_is_gone(google: Google) -> None:
    with pytest.raises(CalendarGone):
        await google.round(calendar=CalendarRef(platform_id=EVE, account_id=ANN, is_shared=True))


async def test_a_grant_without_the_calendar_scope_needs_the_person(google: Google) -> None:
    narrow = a_grant(google.site, EVE, SCOPES[:2])

    with pytest.raises(ReconnectNeeded) as refusal:
        await google.provider().calendars(narrow)

    assert refusal.value.code == "missing_scope"


async def test_a_calendar_shared_as_free_and_busy_gives_shapes_in_time(google: Google) -> None:
    world = google.site.world
    eve, ann = world.directory.account("google", EVE), world.directory.account("google", ANN)
    assert eve is not None
    assert ann is not None
    world.directory.share(world.directory.primary(eve), ann, "freeBusyReader")
    world.add_meeting(EVE, "Secret plan", NOW + DAY, NOW + DAY + HOUR)

    found = await google.round(
        calendar=CalendarRef(platform_id=EVE, account_id=ANN, is_shared=True)
    )

    content = found.events[0].content
    assert (content.title, content.visibility, content.guest_list_hidden) == (None, "private", True)
    assert (content.my_response, content.organizer) == (None, None)


async def test_a_calendar_id_with_special_characters_is_one_part_of_the_address(
    google: Google,
) -> None:
    holidays = _holidays(google)

    found = await google.round(calendar=holidays)

    assert found.events == ()
    assert google.site.asked("/calendars/de.german%23holiday%40group.v.calendar.google.com/events")


def _holidays(google: Google) -> CalendarRef:
    world = google.site.world
    ann = world.directory.account("google", ANN)
    assert ann is not None
    name = "de.german#holiday@group.v.calendar.google.com"
    world.directory.add_calendar(ann, "Holidays", name, generated=True)
    return CalendarRef(platform_id=name, account_id=ANN, is_shared=True)


async def _watch(google: Google, **options: Any) -> WatchReceipt:
    wanted: dict[str, Any] = {
        "address": "http://127.0.0.1:1/notices",
        "secret": "secret-token",
        "watch_id": "wch_1",
        "expires_at": NOW + DAY * 6,
    }
    return await google.provider().watch(
        google.grant, options.pop("calendar", OWN), **(wanted | options)
    )


async def test_a_watch_says_until_when_google_rings(google: Google) -> None:
    receipt = await _watch(google)

    held = google.site.world.state.watches["wch_1"]
    assert receipt == WatchReceipt(
        platform_watch_id="wch_1",
        resource_id=held.resource_id,
        expires_at=NOW + DAY * 6,
    )
    assert (held.secret, held.address) == ("secret-token", "http://127.0.0.1:1/notices")


async def test_a_wish_beyond_googles_limit_is_granted_as_far_as_it_goes(google: Google) -> None:
    receipt = await _watch(google, expires_at=NOW + DAY * 30)

    assert receipt.expires_at == NOW + DAY * 7


async def test_a_generated_calendar_can_only_be_polled(google: Google) -> None:
    with pytest.raises(PushUnsupported):
        await _watch(google, calendar=_holidays(google))


async def test_a_channel_id_that_is_taken_is_tried_again_with_another(google: Google) -> None:
    await _watch(google)

    with pytest.raises(TryLater) as taken:
        await _watch(google)

    assert taken.value.code == "watch_id_taken"


async def test_an_address_that_google_cannot_reach_is_the_operators_to_mend(
    google: Google,
) -> None:
    with pytest.raises(InstallationFault) as refusal:
        await _watch(google, address="http://app.example.com/notices")

    assert refusal.value.code == "push_address_refused"


async def test_a_watch_cannot_be_prolonged(google: Google) -> None:
    receipt = await _watch(google)

    assert await google.provider().renew(google.grant, receipt, expires_at=NOW + DAY * 7) is None


async def test_a_watch_is_stopped_once_and_stopping_it_again_is_fine(google: Google) -> None:
    receipt = await _watch(google)

    await google.provider().unwatch(google.grant, receipt)
    await google.provider().unwatch(google.grant, receipt)

    assert google.site.world.state.watches == {}


async def test_stopping_a_watch_in_trouble_is_tried_later(google: Google) -> None:
    receipt = await _watch(google)
    google.site.world.faults.add("google.stop", "500")

    with pytest.raises(TryLater):
        await google.provider().unwatch(google.grant, receipt)


@pytest.mark.parametrize(
    ("state", "kind"), [("sync", "established"), ("exists", "changed"), ("not_exists", "changed")]
)
async def test_a_notice_says_which_watch_rang(google: Google, state: str, kind: Any) -> None:
    headers = {
        "x-goog-channel-id": "wch_1",
        "x-goog-channel-token": "secret-token",
        "x-goog-resource-id": "o3",
        "x-goog-resource-state": state,
    }

    notices = google.provider().read_notices(headers, b"")

    assert notices == (
        Notice(platform_watch_id="wch_1", secret="secret-token", resource_id="o3", kind=kind),
    )


@pytest.mark.parametrize("headers", [{}, {"x-goog-channel-id": "wch_1"}])
async def test_a_post_that_is_no_notice_is_tampered_with(
    google: Google, headers: dict[str, str]
) -> None:
    with pytest.raises(Tampered):
        google.provider().read_notices(headers, b"{}")


async def test_google_tests_no_address_by_an_echo(google: Google) -> None:
    assert google.provider().handshake({"validationToken": "x"}) is None


async def test_google_answering_what_it_never_sends_is_given_up(google: Google) -> None:
    async with listening(says(b"[1, 2]")) as end:
        provider = GoogleProvider(google.transport, GoogleEndpoints(api_url=end.url))

        with pytest.raises(GiveUp):
            await provider.calendars(google.grant)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (403, {"errors": [{"reason": "insufficientPermissions"}]}, ReconnectNeeded),
        (403, {"details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}, ReconnectNeeded),
        (403, {"details": [{"reason": "SERVICE_DISABLED"}]}, InstallationFault),
        (403, {"errors": [{"reason": "notACalendarUser"}]}, ReconnectNeeded),
        (401, {"errors": [{"reason": "push.webhookUrlUnauthorized"}]}, InstallationFault),
        (410, {"errors": [{"reason": "updatedMinTooLongAgo"}]}, CursorExpired),
        (410, {"errors": [{"reason": "deleted"}]}, CursorExpired),
        (400, {"errors": [{"reason": "timeRangeEmpty"}]}, GiveUp),
        (404, {"errors": [{"reason": "notFound"}]}, GiveUp),
        (400, {"errors": "odd"}, GiveUp),
        (503, {}, TryLater),
    ],
)
def test_a_refusal_is_judged_by_its_reason_first(
    status: int, error: dict[str, Any], kind: type[MeetbotError]
) -> None:
    body = json.dumps({"error": error}).encode()

    fault = api_fault(Answer(status=status, headers={}, body=body), "account")

    assert type(fault) is kind


def test_throttling_lasts_as_long_as_google_says() -> None:
    body = b'{"error": {"errors": [{"reason": "rateLimitExceeded"}]}}'

    fault = api_fault(Answer(status=403, headers={"retry-after": "33"}, body=body), "calendar")

    assert isinstance(fault, TryLater)
    assert fault.after == timedelta(seconds=33)


@pytest.mark.parametrize(
    ("expiration", "expires_at"),
    [
        ('"1795766400000"', datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("1795766400000", datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ('"soon"', NOW + DAY * 6),
        ("null", NOW + DAY * 6),
    ],
)
async def test_an_expiration_is_milliseconds_as_text_or_number(
    google: Google, expiration: str, expires_at: datetime
) -> None:
    body = f'{{"id": "wch_1", "resourceId": "o3", "expiration": {expiration}}}'
    async with listening(says(body.encode())) as end:
        provider = GoogleProvider(google.transport, GoogleEndpoints(api_url=end.url))

        receipt = await provider.watch(
            google.grant,
            OWN,
            address="https://app.example.com/x",
            secret="s",
            watch_id="wch_1",
            expires_at=NOW + DAY * 6,
        )

    assert receipt == WatchReceipt(
        platform_watch_id="wch_1", resource_id="o3", expires_at=expires_at
    )
