from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from meetbot_calendar.calendars.facts import facts_of
from meetbot_calendar.calendars.model import (
    Attendee,
    Calendar,
    CalendarId,
    ConnectionId,
    EventContent,
    Person,
    Provider,
    Span,
)
from rules.facts import AttendeeFact, CalendarFact, Facts, UserFact
from rules.facts import Person as Organizer
from tenants.identity import CalendarUser, CalendarUserId, TenantId
from tests.unit.calendars.event_values import NOW, day, span, stored_event

ME = "ann@acme.com"


def calendar(**more: Any) -> Calendar:
    values: dict[str, Any] = {
        "id": CalendarId("cal_1"),
        "tenant_id": TenantId("ten_1"),
        "user_id": CalendarUserId("mcu_1"),
        "connection_id": ConnectionId("con_1"),
        "provider": Provider.GOOGLE,
        "account_id": ME,
        "platform_id": "primary",
        "name": "Ann",
        "is_primary": True,
        "is_shared": False,
        "access_role": "owner",
    }
    return Calendar(**(values | more))


def user(**attributes: Any) -> CalendarUser:
    return CalendarUser(
        id=CalendarUserId("mcu_1"),
        tenant_id=TenantId("ten_1"),
        customer_user_id="u-7",
        attributes=attributes,
        created_at=NOW,
        updated_at=NOW,
    )


def facts(
    *guests: Attendee,
    internal: Sequence[str] = (),
    account: str = ME,
    primary: bool = True,
    attributes: dict[str, Any] | None = None,
    when: Span | None = None,
    **content: Any,
) -> Facts:
    event = stored_event(
        account_id=account,
        span=when or span(),
        content=EventContent(attendees=guests, **content),
    )
    return facts_of(event, calendar(is_primary=primary), user(**(attributes or {})), internal)


def guest(email: str | None, **more: Any) -> Attendee:
    return Attendee(email=email, **more)


def me(**more: Any) -> Attendee:
    return guest(ME, is_self=True, **more)


def judgement(seen: Facts) -> tuple[bool | None, bool | None, int | None]:
    return seen.is_internal, seen.is_external, seen.external_count


def test_an_event_is_seen_as_facts() -> None:
    event = stored_event(
        account_id=ME,
        provider=Provider.OUTLOOK,
        platform="teams",
        series_id="series",
        span=Span(
            start=datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
            end=datetime(2026, 11, 23, 9, 15, tzinfo=UTC),
            zone="Europe/Berlin",
        ),
        content=EventContent(
            title="Review",
            description="<p>Numbers &amp; risks</p>",
            location="Room 4",
            organizer=Person(email="bob@customer.com", name="Bob"),
            attendees=(
                me(name="Ann", response="accepted"),
                guest("bob@customer.com", is_organizer=True),
            ),
            my_response="accepted",
            visibility="public",
            show_as="busy",
            event_type="default",
            meeting_url="https://teams.example/1",
        ),
    )

    seen = facts_of(event, calendar(), user(team="sales"), ["acme.com"])

    assert seen == Facts(
        title="Review",
        description="Numbers & risks",
        location="Room 4",
        platform="teams",
        meeting_url="https://teams.example/1",
        start=datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
        end=datetime(2026, 11, 23, 9, 15, tzinfo=UTC),
        duration_minutes=45,
        start_hour=9,
        weekday="monday",
        timezone="Europe/Berlin",
        is_all_day=False,
        is_recurring=True,
        provider="outlook",
        account_id=ME,
        calendar=CalendarFact(id="cal_1", name="Ann", is_primary=True),
        organizer=Organizer(email="bob@customer.com", domain="customer.com", name="Bob"),
        attendees=(
            AttendeeFact(
                email=ME, domain="acme.com", name="Ann", response="accepted", is_self=True
            ),
            AttendeeFact(email="bob@customer.com", domain="customer.com", is_organizer=True),
        ),
        attendee_count=2,
        attendee_emails=(ME, "bob@customer.com"),
        domains=("acme.com", "customer.com"),
        external_domains=("customer.com",),
        external_count=1,
        is_internal=False,
        is_external=True,
        is_one_on_one=True,
        my_response="accepted",
        visibility="public",
        show_as="busy",
        event_type="default",
        guest_list_hidden=False,
        user=UserFact(
            email=ME, domain="acme.com", customer_user_id="u-7", attributes={"team": "sales"}
        ),
    )


def test_my_response_is_mine_and_not_another_guests() -> None:
    seen = facts(guest("bob@acme.com", response="declined"), me(), my_response="accepted")

    assert seen.my_response == "accepted"


def test_rooms_and_group_calendars_are_no_people() -> None:
    seen = facts(
        me(),
        guest("bob@acme.com"),
        guest("room@acme.com", is_resource=True),
        guest("c_188abc@resource.calendar.google.com"),
        guest("team@group.calendar.google.com"),
        organizer=Person(email="shared@group.calendar.google.com"),
    )

    assert seen.attendee_count == 2
    assert seen.attendee_emails == (ME, "bob@acme.com")
    assert seen.domains == ("acme.com",)
    assert seen.is_one_on_one is True
    assert seen.is_internal is True
    assert seen.attendees is not None
    assert [each.is_resource for each in seen.attendees] == [False, False, True, True, True]


def test_an_organiser_who_is_not_on_the_list_counts() -> None:
    seen = facts(me(), organizer=Person(email="boss@acme.com", name="Boss"))

    assert (seen.attendee_count, seen.is_one_on_one) == (2, True)
    assert seen.attendee_emails == (ME, "boss@acme.com")


def test_an_organiser_who_is_on_the_list_counts_once() -> None:
    seen = facts(
        me(), guest("boss@acme.com", is_organizer=True), organizer=Person(email="boss@acme.com")
    )

    assert seen.attendee_count == 2


def test_an_organiser_without_an_address_is_the_one_marked_on_the_list() -> None:
    seen = facts(me(), guest("boss@acme.com", is_organizer=True), organizer=Person(name="Boss"))

    assert seen.attendee_count == 2


def test_one_takes_part_in_an_event_of_ones_main_calendar_even_off_the_list() -> None:
    through_a_group = facts(guest("team@acme.com"), organizer=Person(email="boss@acme.com"))
    of_another = facts(
        guest("team@acme.com"), organizer=Person(email="boss@acme.com"), primary=False
    )

    assert (through_a_group.attendee_count, of_another.attendee_count) == (3, 2)


def test_an_appointment_of_ones_own_is_one_person_and_internal() -> None:
    seen = facts(organizer=Person(email=ME, is_self=True))

    assert (seen.attendee_count, seen.is_one_on_one) == (1, False)
    assert judgement(seen) == (True, False, 0)


def test_an_event_without_any_people_is_neither_internal_nor_external() -> None:
    seen = facts(primary=False)

    assert seen.attendee_count == 0
    assert judgement(seen) == (None, None, 0)


def test_an_address_and_its_plus_addresses_are_one_person() -> None:
    seen = facts(me(), guest("bob+calls@acme.com"), guest("bob@acme.com"), guest("ann+x@acme.com"))

    assert (seen.attendee_count, seen.is_one_on_one) == (2, True)


def test_a_person_is_found_by_the_plain_address_behind_a_plus_address() -> None:
    seen = facts(me(), guest("boss+calendar@acme.com"))

    assert seen.attendee_emails == (ME, "boss+calendar@acme.com", "boss@acme.com")


def test_one_is_oneself_behind_a_plus_address() -> None:
    seen = facts(guest("ann+calendar@acme.com"), guest("bob@other.com"), internal=["other.com"])

    assert (seen.attendee_count, seen.is_internal) == (2, True)


def test_one_is_oneself_where_any_of_ones_rows_says_so() -> None:
    seen = facts(guest("alias@other.com"), organizer=Person(email="alias@other.com", is_self=True))

    assert (seen.attendee_count, seen.is_internal) == (1, True)


def test_emails_among_a_users_attributes_are_read_in_lower_case() -> None:
    seen = facts(
        me(),
        attributes={
            "manager_email": "Boss@Acme.com",
            "team": "Sales",
            "backups": ["Bob@Acme.com", 5, {"email": "Eve@Acme.com"}],
        },
    )

    assert seen.user.attributes == {
        "manager_email": "boss@acme.com",
        "team": "Sales",
        "backups": ["bob@acme.com", 5, {"email": "eve@acme.com"}],
    }


def test_attributes_are_read_to_a_reasonable_depth() -> None:
    tree: Any = "leaf"
    for _ in range(900):
        tree = {"inner": tree}

    seen = facts(me(), attributes={"tree": tree})

    assert str(seen.user.attributes).count("inner") == 15


@pytest.mark.parametrize(
    ("email", "internal", "expected"),
    [
        ("bob@acme.com", [], (True, False, 0)),
        ("bob@eu.acme.com", [], (True, False, 0)),
        ("bob@notacme.com", [], (False, True, 1)),
        ("bob@acme.com.example", [], (False, True, 1)),
        ("bob@acme.io", ["acme.io"], (True, False, 0)),
        ("bob@lab.acme.io", ["ACME.io."], (True, False, 0)),
        ("bob@acme.io", [], (False, True, 1)),
        (None, [], (None, None, None)),
        ("no address", [], (None, None, None)),
    ],
)
def test_internal_are_the_tenants_domains_ones_own_and_all_below_them(
    email: str | None, internal: list[str], expected: tuple[Any, ...]
) -> None:
    assert judgement(facts(me(), guest(email), internal=internal)) == expected


def test_one_outsider_is_enough_to_be_external_whoever_else_is_unknown() -> None:
    seen = facts(me(), guest(None, name="Somebody"), guest("eve@other.com"))

    assert judgement(seen) == (False, True, None)


def test_users_of_one_mail_provider_are_no_company() -> None:
    seen = facts(
        guest("ann@gmail.com", is_self=True), guest("bob@gmail.com"), account="ann@gmail.com"
    )

    assert judgement(seen) == (False, True, 1)


def test_a_hidden_guest_list_leaves_all_that_hangs_on_it_unknown() -> None:
    seen = facts(me(), organizer=Person(email="boss@acme.com"), guest_list_hidden=True)

    hanging = (
        *(seen.attendees, seen.attendee_count, seen.attendee_emails, seen.domains),
        *(seen.external_domains, seen.external_count, seen.is_internal, seen.is_external),
        seen.is_one_on_one,
    )
    assert hanging == (None,) * 9
    assert seen.guest_list_hidden is True
    assert seen.organizer == Organizer(email="boss@acme.com", domain="acme.com")


def test_a_private_event_shows_what_its_provider_shows_and_no_more() -> None:
    seen = facts(guest_list_hidden=True, visibility="private")

    assert (seen.title, seen.description, seen.organizer, seen.visibility) == (
        *(None, None, None),
        "private",
    )


@pytest.mark.parametrize(
    ("instant", "zone", "weekday", "hour"),
    [
        (datetime(2026, 10, 23, 7, tzinfo=UTC), "Europe/Berlin", "friday", 9),
        (datetime(2026, 10, 26, 8, tzinfo=UTC), "Europe/Berlin", "monday", 9),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Berlin", "sunday", 2),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/Berlin", "sunday", 2),
        (datetime(2026, 11, 23, 2, tzinfo=UTC), "America/Los_Angeles", "sunday", 18),
        (datetime(2026, 11, 22, 23, tzinfo=UTC), "Asia/Tokyo", "monday", 8),
        (datetime(2026, 11, 22, 23, tzinfo=UTC), "Asia/Kolkata", "monday", 4),
        (datetime(2026, 11, 22, 23, tzinfo=UTC), "Nowhere/Known", "sunday", 23),
    ],
)
def test_hour_and_weekday_are_those_of_the_events_zone(
    instant: datetime, zone: str, weekday: str, hour: int
) -> None:
    seen = facts(me(), when=span(instant, zone=zone))

    assert (seen.weekday, seen.start_hour, seen.timezone) == (weekday, hour, zone)


def test_an_all_day_event_has_its_dates_weekday_and_no_hour() -> None:
    when = day(2026, 11, 23)
    west = Span(start=when.start, end=when.end, zone="America/Los_Angeles", is_all_day=True)

    seen = facts(me(), when=west)

    assert date(2026, 11, 23).strftime("%A").lower() == seen.weekday
    assert (seen.is_all_day, seen.start_hour, seen.duration_minutes) == (True, None, 1440)


def test_a_duration_with_seconds_is_no_whole_number() -> None:
    when = Span(start=NOW, end=NOW + timedelta(seconds=90))

    assert facts(me(), when=when).duration_minutes == 1.5


def test_an_event_without_times_has_none() -> None:
    event = stored_event(span=None, account_id=ME)

    seen = facts_of(event, calendar(), user(), [])

    assert (seen.start, seen.end, seen.weekday, seen.duration_minutes, seen.is_all_day) == (
        *(None, None, None, None),
        False,
    )


@pytest.mark.parametrize(
    ("description", "plain"),
    [
        (None, None),
        ("", ""),
        ("1 < 2 & so on", "1 < 2 & so on"),
        ("<b>Agenda</b><br>one&nbsp;&nbsp;two", "Agenda one two"),
        ("<script>x</script>", "x"),
        ("<" * 40_000, "<" * 16_000),
        ("x" * 40_000, "x" * 16_000),
    ],
)
@pytest.mark.timeout(10)
def test_a_description_is_read_without_markup(description: str | None, plain: str | None) -> None:
    assert facts(me(), description=description).description == plain


def test_an_overlong_title_is_cut() -> None:
    assert facts(me(), title="t" * 5_000).title == "t" * 1_000
