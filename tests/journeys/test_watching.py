"""Push subscriptions: made, renewed, refused, lost; and what a notice may and may not do."""

from datetime import timedelta

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys import calendars as choosing
from meetbot_calendar.journeys import notices, parting, watching
from meetbot_calendar.sandbox.microsoft.notices import send_lifecycle
from meetbot_calendar.sandbox.store import Watch
from tests.journeys.stage import ANN, PEOPLE, Stage
from tests.journeys.test_sync import second_calendar
from tests.journeys.trouble import STOPS, WATCHES, while_reading

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POLL = timedelta(seconds=300)

both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


def watches(stage: Stage) -> list[Watch]:
    """Return the subscriptions that live at the providers."""
    found = stage.world.state.watches.values()
    return [w for w in found if w.expires_at is None or w.expires_at > stage.now]


async def push(stage: Stage) -> list[str]:
    return await stage.look("select push from calendars order by push")


async def notice(
    stage: Stage, watch: Watch, token: str, secret: str, *, resource: str | None = None
) -> int:
    """Post a notice of this watch to an address of ours, as its provider would."""
    headers = {
        "x-goog-channel-id": watch.id,
        "x-goog-resource-id": watch.resource_id if resource is None else resource,
        "x-goog-resource-state": "exists",
        "x-goog-channel-token": secret,
    }
    item = {"subscriptionId": watch.id, "clientState": secret, "changeType": "updated"}
    body = msgspec.json.encode({"value": [item]}) if watch.provider == "outlook" else b""
    answer = await notices.take(
        stage.services, Provider(watch.provider), token, headers=headers, query={}, body=body
    )
    return answer.status


def token_of(watch: Watch) -> str:
    return watch.address.rpartition("/")[2]


@both
async def test_every_selected_calendar_is_watched(
    stage: Stage, provider: Provider, email: str
) -> None:
    second_calendar(stage, provider, email)

    await stage.onboard(provider, email)

    assert len(watches(stage)) == 2
    assert await push(stage) == ["active", "active"]
    assert await stage.look("select state from watches") == ["active", "active"]


@both
async def test_a_watch_outlives_its_first_term(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)

    for _ in range(5):
        await stage.pass_time(2 * DAY)

    (watch,) = watches(stage)
    assert watch.expires_at is not None
    assert watch.expires_at > stage.now + DAY
    assert await push(stage) == ["active"]
    assert await stage.look("select count(*) from watches") == [1]


@both
async def test_a_calendar_that_cannot_be_watched_is_polled(
    stage: Stage, provider: Provider, email: str
) -> None:
    owner = stage.world.directory.account(provider.value, email)
    assert owner is not None
    stage.world.directory.add_calendar(owner, "Holidays", generated=True)
    user_id = await stage.onboard(provider, email)

    await stage.pass_time(DAY)

    holidays = (await stage.calendars(user_id))["Holidays"]
    assert (holidays.push, holidays.last_complete_sync_at) == ("unsupported", stage.now)
    assert len(watches(stage)) == 1


async def test_a_calendar_that_shows_only_who_is_busy_is_listed_and_left_alone(
    stage: Stage,
) -> None:
    eve = stage.world.directory.add_account("google", "eve@acme.example")
    ann = stage.world.directory.account("google", ANN)
    assert ann is not None
    stage.world.directory.share(stage.world.directory.primary(eve), ann, "freeBusyReader")

    user_id = await stage.onboard(Provider.GOOGLE, ANN)

    busy = (await stage.calendars(user_id))["eve@acme.example"]
    assert (busy.selected, busy.last_complete_sync_at, len(watches(stage))) == (False, None, 1)


async def test_a_calendar_of_busy_times_alone_is_synced_once_somebody_chooses_it(
    stage: Stage,
) -> None:
    eve = stage.world.directory.add_account("google", "eve@acme.example")
    ann = stage.world.directory.account("google", ANN)
    assert ann is not None
    stage.world.directory.share(stage.world.directory.primary(eve), ann, "freeBusyReader")
    stage.hold_meeting("eve@acme.example", "Secret", 5 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    busy = (await stage.calendars(user_id))["eve@acme.example"]

    await choosing.select(stage.services, stage.context, user_id, busy.id, selected=True)
    await stage.pass_time(2 * POLL)

    chosen = (await stage.calendars(user_id))["eve@acme.example"]
    assert (chosen.selected, chosen.last_complete_sync_at) == (True, stage.now)
    assert await stage.titles() == [None]


@both
async def test_a_calendar_that_is_no_longer_chosen_is_watched_no_more(
    stage: Stage, provider: Provider, email: str
) -> None:
    second_calendar(stage, provider, email)
    user_id = await stage.onboard(provider, email)
    second = (await stage.calendars(user_id))["Team"]

    await choosing.select(stage.services, stage.context, user_id, second.id, selected=False)
    await stage.settle()
    (left,) = watches(stage)
    await choosing.select(stage.services, stage.context, user_id, second.id, selected=True)
    await stage.settle()

    assert left.calendar != second.platform_id
    assert len(watches(stage)) == 2
    assert await push(stage) == ["active", "active"]


@both
async def test_a_watch_that_cannot_be_stopped_now_is_stopped_later(
    stage: Stage, provider: Provider, email: str
) -> None:
    user_id = await stage.onboard(provider, email)
    (only,) = (await stage.calendars(user_id)).values()
    stage.world.faults.add(STOPS[provider], "503_json")

    await choosing.select(stage.services, stage.context, user_id, only.id, selected=False)
    await stage.settle()
    before = len(watches(stage))
    await stage.pass_time(POLL)

    assert (before, watches(stage)) == (1, [])
    assert await stage.look("select count(*) from watches") == [0]
    assert await stage.look("select push_due_at from calendars") == [None]


@both
async def test_a_refused_watch_is_asked_for_again_while_polling_goes_on(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.world.faults.add(WATCHES[provider], "503_json")

    await stage.onboard(provider, email)
    before = await push(stage)
    await stage.pass_time(POLL)

    assert (before, await push(stage)) == (["lost"], ["active"])
    assert await stage.look("select failures from calendars") == [0]


@both
async def test_a_watch_whose_answer_was_lost_is_replaced(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.world.faults.add(WATCHES[provider], "lose_answer")

    await stage.onboard(provider, email)
    await stage.pass_time(POLL)
    stage.hold_meeting(email, "Heard", 5 * HOUR)
    await stage.settle()

    assert await push(stage) == ["active"]
    assert await stage.titles() == ["Heard"]
    assert await stage.look("select count(*) from watches") == [1]


async def test_a_subscription_that_waits_to_be_authorised_again_is_renewed_and_not_remade(
    stage: Stage,
) -> None:
    provider, email = PEOPLE[1]
    await stage.onboard(provider, email)
    (watch,) = watches(stage)
    before = len(stage.world.journal.find("/subscriptions"))

    send_lifecycle(stage.world, watch, "reauthorizationRequired")
    await stage.hear()
    meanwhile = await push(stage)
    await stage.settle()

    asked = list(stage.world.journal.find("/subscriptions"))[before:]
    assert (meanwhile, [each.method for each in asked]) == (["active"], ["PATCH"])
    assert [each.id for each in watches(stage)] == [watch.id]


@both
async def test_what_changed_while_nobody_watched_is_read_once_a_watch_is_made(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.world.faults.add(WATCHES[provider], "503_json")
    await stage.onboard(provider, email)
    stage.hold_meeting(email, "Unheard", 5 * HOUR)
    await stage.hear()
    unheard = await stage.titles()
    await stage.look("update calendars set due_at = due_at + interval '1 day' returning 1")

    await stage.pass_time(POLL)

    assert (unheard, await push(stage), await stage.titles()) == ([], ["active"], ["Unheard"])


@pytest.mark.parametrize("event", ["subscriptionRemoved", "reauthorizationRequired"])
async def test_a_subscription_that_graph_ends_or_pauses_is_made_well(
    stage: Stage, event: str
) -> None:
    provider, email = PEOPLE[1]
    await stage.onboard(provider, email)
    (watch,) = watches(stage)

    send_lifecycle(stage.world, watch, event)
    await stage.settle()
    stage.hold_meeting(email, "Heard", 5 * HOUR)
    await stage.settle()

    assert (await push(stage), await stage.titles()) == (["active"], ["Heard"])


async def test_a_missed_notice_makes_the_calendar_due(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    await stage.onboard(provider, email)
    (watch,) = watches(stage)

    send_lifecycle(stage.world, watch, "missed")
    await stage.hear()

    assert await stage.due_calendars() == ["Calendar"]


@both
async def test_a_wrong_secret_is_taken_and_changes_nothing(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)
    (watch,) = watches(stage)
    before = await stage.look("select sum(ring) from calendars")

    status = await notice(stage, watch, token_of(watch), "forged")

    assert (status, await stage.due_calendars()) == (202, [])
    assert await stage.look("select sum(ring) from calendars") == before


@pytest.mark.parametrize("resource", ["", "another"])
async def test_a_notice_of_another_resource_is_taken_and_changes_nothing(
    stage: Stage, resource: str
) -> None:
    await stage.onboard(Provider.GOOGLE, ANN)
    (watch,) = watches(stage)

    forged = await notice(stage, watch, token_of(watch), watch.secret, resource=resource)
    nothing = await stage.due_calendars()
    true = await notice(stage, watch, token_of(watch), watch.secret)

    assert (forged, nothing) == (202, [])
    assert (true, await stage.due_calendars()) == (202, [ANN])


@both
async def test_the_secret_of_another_watch_does_not_fit(
    stage: Stage, provider: Provider, email: str
) -> None:
    second_calendar(stage, provider, email)
    await stage.onboard(provider, email)
    one, other = watches(stage)

    status = await notice(stage, other, token_of(one), other.secret)

    assert (status, await stage.due_calendars()) == (202, [])


async def test_an_unknown_address_is_missing(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    await stage.onboard(provider, email)
    (watch,) = watches(stage)

    with pytest.raises(Missing):
        await notice(stage, watch, "x" * 43, watch.secret)

    assert await stage.due_calendars() == []


@both
async def test_nonsense_at_a_known_address_is_taken_and_ignored(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)
    (watch,) = watches(stage)

    answer = await notices.take(
        stage.services, provider, token_of(watch), headers={}, query={}, body=b"nonsense"
    )

    assert (answer.status, await stage.due_calendars()) == (202, [])


async def test_a_burst_of_notices_is_one_sync(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    await stage.onboard(provider, email)

    for number in range(5):
        stage.hold_meeting(email, f"M{number}", (number + 5) * HOUR)
    await stage.hear()
    due = await stage._due()
    await stage.settle()

    assert [kind for kind, _, _ in due] == ["sync"]
    assert [kind for kind, _ in await stage.told()].count("calendar.events_changed") == 1


async def test_a_watch_that_comes_too_late_for_its_connection_is_not_kept_up(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    connected = await stage.connect(provider, email)
    (connection,) = await stage.connections(connected.user_id)
    (calendar,) = (await stage.calendars(connected.user_id)).values()

    async def leave() -> None:
        await parting.disconnect(stage.services, stage.context, connection.id, purge_events=True)

    busy = while_reading(stage, provider, leave, call="watch")
    await watching.watch(busy.services, stage.context.tenant_id, calendar.id)
    for _ in range(4):
        await stage.pass_time(2 * DAY)

    assert await stage.look("select push_due_at from calendars") == [None]
    assert watches(stage) == []
