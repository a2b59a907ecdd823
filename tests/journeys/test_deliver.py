"""Messages reach the tenant: signed, in order, as often as it takes."""

from datetime import timedelta
from typing import Any

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.deliveries.attempts import DELAYS
from meetbot_calendar.deliveries.model import DeliveryId, EndpointId
from meetbot_calendar.errors import Conflict
from meetbot_calendar.journeys import deliver, endpoints, outbox
from meetbot_calendar.journeys.endpoints import EndpointChange
from meetbot_calendar.journeys.outbox import Delivered, DeliveryFilter
from meetbot_calendar.journeys.paging import PageWish
from meetbot_calendar.sandbox.customer_inbox import CustomerState
from meetbot_calendar.sandbox.notes import note
from tests.journeys.stage import ANN, Stage

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOOKS = "customer.webhooks"


async def send(stage: Stage, endpoint_id: EndpointId) -> None:
    """Send a test message to an endpoint, and let the worker work."""
    await deliver.send_test(stage.services, stage.context, endpoint_id)
    await stage.settle()


async def deliveries(stage: Stage) -> list[Delivered]:
    """Return every delivery with its attempts, oldest first."""
    page = await outbox.list_deliveries(
        stage.services, stage.context, DeliveryFilter(), PageWish(limit=100)
    )
    return sorted(page.results, key=lambda row: row.delivery.created_at)


async def one(stage: Stage) -> Delivered:
    (found,) = await deliveries(stage)
    return found


async def change(stage: Stage, endpoint_id: EndpointId, **values: Any) -> None:
    wish = EndpointChange(**values)
    await endpoints.change_endpoint(stage.services, stage.context, endpoint_id, wish)


async def test_a_message_is_posted_once_with_its_id_and_a_signature(stage: Stage) -> None:
    endpoint_id = await stage.listen()

    await send(stage, endpoint_id)

    (message,), row = stage.received, await one(stage)
    assert (message.id, message.type, message.verified) == (
        row.delivery.message_id, "endpoint.test", True,
    )  # fmt: skip
    assert row.delivery.status == "delivered"
    assert [(a.number, a.status_code, a.error) for a in row.attempts] == [(1, 200, None)]


async def test_retries_keep_to_the_schedule_and_then_end(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "500", times=-1)
    await send(stage, endpoint_id)

    for delay in DELAYS:
        due_at = (await one(stage)).delivery.next_attempt_at
        assert due_at is not None
        assert delay <= due_at - stage.now <= delay * 1.1
        await stage.pass_time(due_at - stage.now - timedelta(microseconds=1))
        before = len(stage.received)
        await stage.pass_time(timedelta(microseconds=1))
        assert len(stage.received) == before + 1

    row = await one(stage)
    assert (row.delivery.status, row.delivery.next_attempt_at) == ("exhausted", None)
    assert [attempt.number for attempt in row.attempts] == list(range(1, 11))


async def test_every_attempt_sends_the_same_bytes_under_a_fresh_signature(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "500", times=2)

    await send(stage, endpoint_id)
    for _ in range(2):
        await stage.pass_time(timedelta(minutes=6))

    assert {(m.id, str(m.body), m.verified) for m in stage.received} == {
        (stage.received[0].id, str(stage.received[0].body), True)
    }
    assert len({m.timestamp for m in stage.received}) == 3
    assert (await one(stage)).delivery.status == "delivered"


async def test_an_endpoint_may_ask_for_more_time(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "429", retry_after=3600)

    await send(stage, endpoint_id)

    due_at = (await one(stage)).delivery.next_attempt_at
    assert due_at is not None
    assert due_at - stage.now >= HOUR


async def test_a_redirect_is_no_success_and_not_followed(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "redirect")

    await send(stage, endpoint_id)

    row = await one(stage)
    assert (row.delivery.status, row.attempts[0].status_code) == ("pending", 302)
    assert len(stage.received) == 1


async def test_an_endpoint_that_is_gone_is_disabled_and_the_others_are_told(stage: Stage) -> None:
    gone, other = await stage.listen(name="gone"), await stage.listen(name="other")
    stage.world.faults.add(HOOKS, "410", account="gone")

    await send(stage, gone)
    await send(stage, other)

    found = await endpoints.read_endpoint(stage.services, stage.context, gone)
    told = [m.type for m in stage.received if m.inbox == "other"]
    assert (found.status, found.disabled_reason) == ("disabled", "gone")
    assert told == ["endpoint.disabled", "endpoint.test"]
    assert [m.inbox for m in stage.received].count("gone") == 1


async def test_an_endpoint_that_fails_for_days_is_disabled(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "500", times=-1)

    await send(stage, endpoint_id)
    for _ in range(12):
        await stage.pass_time(DAY / 2)

    found = await endpoints.read_endpoint(stage.services, stage.context, endpoint_id)
    assert (found.status, found.disabled_reason) == ("disabled", "failing")


async def test_a_disabled_endpoint_is_left_in_peace_and_later_caught_up(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "500")
    await send(stage, endpoint_id)

    await change(stage, endpoint_id, status="disabled")
    await stage.pass_time(HOUR)
    quiet = len(stage.received)
    await change(stage, endpoint_id, status="enabled")
    await stage.settle()

    assert quiet == 1
    assert [m.answered for m in stage.received] == [500, 200]
    assert (await one(stage)).delivery.status == "delivered"


async def test_what_happens_while_an_endpoint_is_disabled_is_kept_as_messages_alone(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen()
    await change(stage, endpoint_id, status="disabled")

    await stage.connect(Provider.GOOGLE, ANN)
    await change(stage, endpoint_id, status="enabled")
    await stage.settle()

    assert next(kind for kind, _ in await stage.told()) == "calendar.connected"
    assert stage.received == []


async def test_nothing_is_sent_to_a_disabled_endpoint_on_request(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    await send(stage, endpoint_id)
    delivery_id = (await one(stage)).delivery.id
    await change(stage, endpoint_id, status="disabled")

    with pytest.raises(Conflict, match="enable it first"):
        await deliver.send_test(stage.services, stage.context, endpoint_id)
    with pytest.raises(Conflict, match="enable it first"):
        await deliver.redeliver(stage.services, stage.context, delivery_id)

    await stage.settle()
    assert len(stage.received) == 1


async def test_an_exhausted_delivery_can_be_sent_again(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "500", times=10)
    await send(stage, endpoint_id)
    for delay in DELAYS:
        await stage.pass_time(delay * 1.1)
    exhausted = await one(stage)

    await deliver.redeliver(stage.services, stage.context, exhausted.delivery.id)
    await stage.settle()

    row = await one(stage)
    assert (exhausted.delivery.status, row.delivery.status) == ("exhausted", "delivered")
    assert [attempt.number for attempt in row.attempts] == list(range(1, 12))


async def test_a_delivered_message_can_be_sent_again_under_its_id(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    await send(stage, endpoint_id)

    await deliver.redeliver(stage.services, stage.context, (await one(stage)).delivery.id)
    await stage.settle()

    assert len({m.id for m in stage.received}) == 1
    assert len(stage.received) == 2


async def test_a_delivery_is_made_by_one_worker(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    await deliver.send_test(stage.services, stage.context, endpoint_id)
    delivery_id = DeliveryId((await one(stage)).delivery.id)

    made = [
        await deliver.deliver(stage.services, stage.context.tenant_id, delivery_id)
        for _ in range(2)
    ]

    assert (made[0] is None, made[1], len(stage.received)) == (False, None, 1)


async def test_both_secrets_sign_for_a_day_after_a_rotation(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    kept = note(stage.world, "customer", CustomerState).secrets
    old = list(kept["acme"])
    rotated = await endpoints.rotate_secret(stage.services, stage.context, endpoint_id)
    new = [rotated.secrets[0]]

    async def accepted(by: list[str]) -> bool:
        kept["acme"] = by
        await send(stage, endpoint_id)
        return stage.received[-1].verified

    assert [await accepted(old), await accepted(new)] == [True, True]
    await stage.pass_time(DAY)
    assert [await accepted(old), await accepted(new)] == [False, True]


async def test_an_endpoint_hears_what_it_asked_for(stage: Stage) -> None:
    await stage.listen("bot.scheduled", "calendar.connected", name="some")
    await stage.listen(name="all")
    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)

    await stage.onboard(Provider.GOOGLE, ANN)

    heard = {name: [m.type for m in stage.received if m.inbox == name] for name in ("some", "all")}
    assert heard == {
        "some": ["calendar.connected", "bot.scheduled"],
        "all": ["calendar.connected", "calendar.events_changed", "bot.scheduled"],
    }


async def test_messages_stand_in_order_whether_or_not_anybody_listens(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)

    kinds = [kind for kind, _ in await stage.told()]

    assert kinds == ["calendar.connected", "calendar.events_changed", "bot.scheduled"]
    assert await deliveries(stage) == []


async def test_a_reader_goes_on_where_it_stopped(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)

    async def after(since: Any) -> list[Any]:
        wish = PageWish(limit=1)
        page = await outbox.list_messages(
            stage.services, stage.context, wish, kind=None, since=since
        )
        return list(page.results)

    read, since = [], None
    while found := await after(since):
        read.append(found[0].type)
        since = found[0].id

    assert read == ["calendar.connected", "calendar.events_changed", "bot.scheduled"]
