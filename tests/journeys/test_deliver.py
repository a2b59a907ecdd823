"""Messages reach the tenant: signed, in order, as often as it takes."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.deliveries.attempts import DELAYS
from meetbot_calendar.deliveries.model import EndpointId, MessageId
from meetbot_calendar.errors import Conflict
from meetbot_calendar.journeys import deliver, endpoints, outbox, steer
from meetbot_calendar.journeys.endpoints import EndpointChange
from meetbot_calendar.journeys.outbox import Delivered, DeliveryFilter
from meetbot_calendar.journeys.paging import PageWish
from meetbot_calendar.sandbox.customer_inbox import CustomerState
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.storage import messages
from meetbot_calendar.worker.sweeper import Sweeper
from tests.journeys.stage import ANN, MEET, Stage

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOOKS = "customer.webhooks"
SCHEDULED = messages.Draft(type="bot.scheduled", body=b'{"type":"bot.scheduled","data":{}}')


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

    made = await asyncio.gather(
        *(deliver.deliver(stage.services, stage.context.tenant_id, endpoint_id) for _ in range(2))
    )

    assert (sorted(map(len, made)), len(stage.received)) == ([0, 1], 1)


async def test_what_waits_for_one_endpoint_is_posted_several_at_a_time(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    sent = [await deliver.send_test(stage.services, stage.context, endpoint_id) for _ in range(20)]

    made = await deliver.deliver(stage.services, stage.context.tenant_id, endpoint_id)

    assert (len(made), {message.id for message in stage.received}) == (20, set(sent))


async def test_a_customer_that_hangs_delays_no_other_customer(stage: Stage) -> None:
    hangs, other = await stage.listen(name="hangs"), await stage.listen(name="other")
    for _ in range(30):
        await deliver.send_test(stage.services, stage.context, hangs)
    told = await deliver.send_test(stage.services, stage.context, other)
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await never.wait()

    poster: Any = Hanging(stage.services.poster, "/hangs", hang)
    services = msgspec.structs.replace(stage.services, poster=poster)
    sweeper, stop = Sweeper(services), asyncio.Event()
    working = asyncio.create_task(sweeper.run(stop))
    async with asyncio.timeout(20):
        await reached.wait()
        while not stage.received:  # noqa: ASYNC110 - the customer has no bell for tests
            await asyncio.sleep(0)
        due = await stage.look(
            "select count(*) from deliveries where lease_id is null and due_at is not null"
        )
    stop.set()
    await working

    assert ([message.id for message in stage.received], due) == ([told], [22])


class Hanging:
    """A poster that never has an answer from some."""

    def __init__(self, poster: Any, part: str, hang: Any) -> None:
        self._poster = poster
        self._part = part
        self._hang = hang

    async def post(self, url: str, headers: Any, body: bytes) -> Any:
        if url.endswith(self._part):
            await self._hang()
        return await self._poster.post(url, headers, body)


async def test_one_who_was_disabled_for_failing_is_told_what_happened_meanwhile(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "410")
    await send(stage, endpoint_id)
    connected = await stage.connect(Provider.GOOGLE, ANN)
    await stage.settle()
    quiet = [message.type for message in stage.received]

    await change(stage, endpoint_id, status="enabled")
    await stage.settle()

    assert connected.error_code is None
    assert quiet == ["endpoint.test"]
    assert sorted(message.type for message in stage.received[1:]) == [
        "calendar.connected",
        "endpoint.disabled",
        "endpoint.test",
    ]


async def test_what_was_given_up_while_an_endpoint_failed_is_sent_when_it_is_enabled(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen("bot.scheduled")
    await send(stage, endpoint_id)
    await stage.pass_time(HOUR)
    stage.world.faults.add(HOOKS, "500", times=-1)
    for _ in range(2):
        await send(stage, endpoint_id)
        for delay in DELAYS:
            await stage.pass_time(delay * 1.1)
    before = [row.delivery.status for row in await deliveries(stage)]
    stage.world.faults.clear()

    await change(stage, endpoint_id, status="enabled")
    await stage.settle()

    assert before == ["delivered", "exhausted", "pending"]
    assert [(row.delivery.status, len(row.attempts)) for row in await deliveries(stage)] == [
        ("delivered", 1),
        ("delivered", 11),
        ("delivered", 10),
    ]


async def test_an_endpoint_is_caught_up_with_what_it_wants_from_now_on(stage: Stage) -> None:
    endpoint_id = await stage.listen("bot.scheduled")
    stage.world.faults.add(HOOKS, "410")
    await send(stage, endpoint_id)
    await stage.connect(Provider.GOOGLE, ANN)

    await change(stage, endpoint_id, status="enabled", events=("calendar.connected",))
    await stage.settle()

    assert [m.type for m in stage.received] == [
        "endpoint.test",
        "endpoint.test",
        "calendar.connected",
    ]


async def test_one_whom_the_customer_disables_once_more_is_caught_up_all_the_same(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen("calendar.connected")
    stage.world.faults.add(HOOKS, "410")
    await send(stage, endpoint_id)
    await stage.connect(Provider.GOOGLE, ANN)

    await change(stage, endpoint_id, status="disabled")
    await change(stage, endpoint_id, status="enabled")
    await stage.settle()

    assert [m.type for m in stage.received[1:]] == ["endpoint.test", "calendar.connected"]


async def test_a_message_dated_before_the_disabling_but_written_after_it_is_caught_up(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen("bot.scheduled")
    began = stage.now
    await stage.pass_time(timedelta(seconds=30))
    stage.world.faults.add(HOOKS, "410")
    await send(stage, endpoint_id)
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await messages.write(session, began, [SCHEDULED])

    await change(stage, endpoint_id, status="enabled")
    await stage.settle()

    assert [m.type for m in stage.received[1:]] == ["endpoint.test", "bot.scheduled"]


async def test_a_message_that_is_being_written_while_an_endpoint_is_enabled_reaches_it(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen("bot.scheduled")
    stage.world.faults.add(HOOKS, "410")
    await send(stage, endpoint_id)

    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await messages.write(session, stage.now, [SCHEDULED])
        enabling = asyncio.create_task(change(stage, endpoint_id, status="enabled"))
        await asyncio.wait([enabling], timeout=0.1)
    await enabling
    await stage.settle()

    assert [m.type for m in stage.received[1:]] == ["endpoint.test", "bot.scheduled"]


async def test_what_is_written_to_an_endpoint_just_after_its_disabling_waits_too(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen()
    await change(stage, endpoint_id, status="disabled")
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await messages.write_to(session, stage.now, SCHEDULED, endpoint_id)

    await stage.settle()  # which fails where anything stays due
    waiting = (await one(stage)).delivery
    await change(stage, endpoint_id, status="enabled")
    await stage.settle()

    assert (waiting.status, waiting.next_attempt_at) == ("pending", None)
    assert [m.type for m in stage.received] == ["bot.scheduled"]


async def test_a_success_that_was_under_way_when_an_endpoint_began_to_fail_counts(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen()
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def linger() -> None:
        reached.set()
        await go_on.wait()

    poster: Any = Hanging(stage.services.poster, "/acme", linger)
    services = msgspec.structs.replace(stage.services, poster=poster)
    await deliver.send_test(stage.services, stage.context, endpoint_id)
    slow = asyncio.create_task(deliver.deliver(services, stage.context.tenant_id, endpoint_id))
    await reached.wait()
    stage.world.faults.add(HOOKS, "500")
    await send(stage, endpoint_id)
    failing = await endpoints.read_endpoint(stage.services, stage.context, endpoint_id)
    go_on.set()
    await slow

    well = await endpoints.read_endpoint(stage.services, stage.context, endpoint_id)
    assert (failing.failing_since, well.failing_since) == (stage.now, None)


async def test_an_endpoint_is_changed_and_fails_while_a_message_to_it_is_being_written(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen()
    stage.world.faults.add(HOOKS, "500")
    await deliver.send_test(stage.services, stage.context, endpoint_id)

    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await messages.write(session, stage.now, [SCHEDULED])
        async with asyncio.timeout(5):
            await deliver.deliver(stage.services, stage.context.tenant_id, endpoint_id)
            await change(stage, endpoint_id, description="ours")

    found = await endpoints.read_endpoint(stage.services, stage.context, endpoint_id)
    assert (found.failing_since, found.description) == (stage.now, "ours")


async def test_who_writes_a_message_and_who_disables_an_endpoint_never_wait_for_each_other(
    stage: Stage,
) -> None:
    tenant_id = stage.context.tenant_id
    endpoint_id, _ = await stage.listen(), await stage.listen(name="other")
    stage.world.faults.add(HOOKS, "410")
    await deliver.send_test(stage.services, stage.context, endpoint_id)

    async with stage.services.database.tenant(tenant_id) as session:
        await messages.hold(session)
        disabling = asyncio.create_task(deliver.deliver(stage.services, tenant_id, endpoint_id))
        await asyncio.wait([disabling], timeout=0.1)
        await messages.write(session, stage.now, [SCHEDULED])
    (sent,) = await disabling

    found = await endpoints.read_endpoint(stage.services, stage.context, endpoint_id)
    assert (sent.status, found.disabled_reason) == ("cancelled", "gone")
    assert [kind for kind, _ in await stage.told()] == [
        "endpoint.test",
        "bot.scheduled",
        "endpoint.disabled",
    ]


async def test_everything_since_an_instant_is_sent_again_in_order(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    await send(stage, endpoint_id)
    since = stage.now + HOUR
    await stage.pass_time(HOUR)
    await send(stage, endpoint_id)
    await stage.connect(Provider.GOOGLE, ANN)
    await stage.settle()
    first = [message.id for message in stage.received]

    again = await endpoints.redeliver_since(stage.services, stage.context, endpoint_id, since)
    await stage.settle()

    assert again == len(first) - 1
    assert sorted(message.id for message in stage.received) == sorted(first + first[1:])


async def test_a_disabled_endpoint_is_told_nothing_again(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    await change(stage, endpoint_id, status="disabled")

    with pytest.raises(Conflict, match="enable it first"):
        await endpoints.redeliver_since(stage.services, stage.context, endpoint_id, stage.now)


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


async def test_every_secret_signs_for_its_day_however_often_it_is_rotated(stage: Stage) -> None:
    endpoint_id = await stage.listen()
    kept = note(stage.world, "customer", CustomerState).secrets
    held = list(kept["acme"])
    for _ in range(2):
        rotated = await endpoints.rotate_secret(stage.services, stage.context, endpoint_id)
        held.append(rotated.secrets[0])
        await stage.pass_time(HOUR)

    async def accepted(secret: str) -> bool:
        kept["acme"] = [secret]
        await send(stage, endpoint_id)
        return stage.received[-1].verified

    assert [await accepted(secret) for secret in held] == [True, True, True]
    await stage.pass_time(DAY)
    assert [await accepted(secret) for secret in held] == [False, False, True]


async def test_of_many_secrets_the_five_newest_sign(stage: Stage) -> None:
    endpoint_id = await stage.listen()

    made = [
        (await endpoints.rotate_secret(stage.services, stage.context, endpoint_id)).secrets
        for _ in range(6)
    ]

    assert made[-1] == tuple(secrets[0] for secrets in reversed(made[1:]))


async def test_an_endpoint_hears_what_it_asked_for(stage: Stage) -> None:
    await stage.listen("bot.scheduled", "calendar.connected", name="some")
    await stage.listen(name="all")
    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)

    await stage.onboard(Provider.GOOGLE, ANN)

    heard = {name: {m.type for m in stage.received if m.inbox == name} for name in ("some", "all")}
    assert heard == {
        "some": {"calendar.connected", "bot.scheduled"},
        "all": {"calendar.connected", "calendar.events_changed", "bot.scheduled"},
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


async def test_a_reader_who_remembers_an_instant_misses_nothing_that_waited_to_be_written(
    stage: Stage,
) -> None:
    began, later = stage.now, stage.now + timedelta(seconds=1)
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await messages.write(session, later, [SCHEDULED])
        await messages.write(session, began, [SCHEDULED])
    await deliver.send_test(stage.services, stage.context, await stage.listen())

    page = await outbox.list_messages(
        stage.services, stage.context, PageWish(limit=9), kind=None, since=later
    )

    assert [(message.type, message.created_at) for message in page.results] == [
        ("bot.scheduled", later),
        ("bot.scheduled", later),
        ("endpoint.test", later),
    ]


async def test_a_customer_who_was_down_rebuilds_every_bot_from_the_log(stage: Stage) -> None:
    for number, link in enumerate(
        ("https://zoom.us/j/81234567890", MEET, "https://zoom.us/j/81234567899")
    ):
        stage.hold_meeting(ANN, f"M{number}", (number + 1) * HOUR, link=link)
    await stage.onboard(Provider.GOOGLE, ANN)
    await steer.cancel_bot(stage.services, stage.context, (await stage.bots())[2].id)
    rebuilt: dict[str, str] = {}
    since: MessageId | None = None

    for _ in range(4):
        await stage.pass_time(HOUR)
        since = await follow(stage, since, rebuilt)

    assert rebuilt == {bot.id: bot.status for bot in await stage.bots()}
    assert sorted(rebuilt.values()) == ["cancelled", "completed", "completed"]


async def follow(stage: Stage, since: MessageId | None, rebuilt: dict[str, str]) -> MessageId:
    """Read on in the log, as a customer would, to its end; returns where that is."""
    while True:
        wish = PageWish(limit=2)
        page = await outbox.list_messages(
            stage.services, stage.context, wish, kind=None, since=since
        )
        for message in page.results:
            since, said = message.id, msgspec.json.decode(message.body)
            if said["type"].startswith("bot."):
                rebuilt[said["data"]["bot_id"]] = said["data"]["status"]
        if page.next is None:
            assert since is not None
            return since


async def test_a_reader_misses_nothing_that_is_committed_late(stage: Stage) -> None:
    database, tenant_id = stage.services.database, stage.context.tenant_id
    draft = messages.Draft(type="bot.scheduled", body=b"{}")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        async with database.tenant(tenant_id) as session:
            await messages.write(session, stage.now, [draft])
            begun.set()
            await go_on.wait()

    async def quick() -> None:
        async with database.tenant(tenant_id) as session:
            await messages.write(session, stage.now, [draft])

    async def read() -> list[Any]:
        page = await outbox.list_messages(
            stage.services, stage.context, PageWish(limit=9), kind=None, since=None
        )
        return [message.id for message in page.results]

    first = asyncio.create_task(late())
    await begun.wait()
    second = asyncio.create_task(quick())
    await asyncio.wait([second], timeout=0.1)
    between = await read()
    go_on.set()
    await asyncio.gather(first, second)

    assert between == []  # what came second does not show before what came first
    assert len(await read()) == 2
