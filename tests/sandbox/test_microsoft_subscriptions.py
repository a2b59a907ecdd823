"""Graph's subscriptions and notifications: handshakes, limits, deliveries, lifecycle (7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.meetings import Guest
from tests.loopback import FarEnd, Heard, answer, listening
from tests.sandbox.outlook import BOB, Reader, Tenant, at
from tests.sandbox.site import NOW

STATE = "state-of-32-random-bytes"
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=3"
PLAIN = "text/plain; charset=utf-8"


class Endpoint(msgspec.Struct, kw_only=True):
    """A product's receiving end: how it answers handshakes and notifications, and what it got."""

    far_end: FarEnd
    statuses: list[int] = []
    handshakes: list[str] = []
    content_type: str = PLAIN
    echo: str = ""

    @property
    def url(self) -> str:
        return f"{self.far_end.url}/hooks/graph?calendar=1"

    @property
    def lifecycle_url(self) -> str:
        return f"{self.far_end.url}/hooks/lifecycle"

    def posts(self, path: str = "/hooks/graph") -> list[list[dict[str, Any]]]:
        """Return what each notification POST carried."""
        heard = [h for h in self.far_end.heard if h.target.startswith(path) and h.body]
        return [msgspec.json.decode(h.body)["value"] for h in heard]

    def notices(self) -> list[dict[str, Any]]:
        return [notice for post in self.posts() for notice in post]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    found: list[Endpoint] = []

    async def script(heard: Heard, writer: asyncio.StreamWriter) -> None:
        here = found[0]
        query = parse_qs(urlsplit(heard.target).query)
        if "validationToken" in query:
            here.handshakes.append(heard.headers["content-type"])
            token = here.echo or query["validationToken"][0]
            writer.write(answer(token.encode(), content_type=here.content_type))
        else:
            writer.write(answer(b"", here.statuses.pop(0) if here.statuses else 202))

    async with listening(script) as far_end:
        found.append(Endpoint(far_end=far_end))
        yield found[0]


def body(endpoint: Endpoint, minutes: float = 1000, **changes: Any) -> dict[str, Any]:
    asked = {
        "changeType": "created,updated,deleted",
        "notificationUrl": endpoint.url,
        "lifecycleNotificationUrl": endpoint.lifecycle_url,
        "resource": "me/events",
        "expirationDateTime": f"{NOW + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}.0000000Z",
        "clientState": STATE,
    }
    return {name: value for name, value in (asked | changes).items() if value is not None}


async def watching(contoso: Tenant, endpoint: Endpoint, **changes: Any) -> Reader:
    reader = await contoso.reader()
    made = await reader.post("/subscriptions", body(endpoint, **changes))
    assert made.status_code == 201, made.text
    return reader


async def test_a_subscription_is_made_once_both_addresses_echoed_the_token(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await contoso.reader()

    made = await ann.post("/subscriptions", body(endpoint))

    shown = made.json()
    assert made.status_code == 201
    assert shown.pop("@odata.context").endswith("/$metadata#subscriptions/$entity")
    assert shown.pop("id")
    assert shown.pop("creatorId")
    assert shown == {
        "resource": "me/events",
        "applicationId": "app-1",
        "changeType": "created,updated,deleted",
        "clientState": STATE,
        "notificationUrl": endpoint.url,
        "notificationQueryOptions": None,
        "lifecycleNotificationUrl": endpoint.lifecycle_url,
        "expirationDateTime": "2026-11-21T04:40:00Z",
        "includeResourceData": None,
        "latestSupportedTlsVersion": "v1_2",
        "encryptionCertificate": None,
        "encryptionCertificateId": None,
        "notificationUrlAppId": None,
    }
    assert endpoint.handshakes == [PLAIN, PLAIN]
    assert endpoint.far_end.heard[0].target.startswith("/hooks/graph?calendar=1&validationToken=")
    assert "%3a+" in endpoint.far_end.heard[0].target


@pytest.mark.parametrize(
    ("echo", "content_type"), [("something else", PLAIN), ("", "application/json")]
)
async def test_a_failed_handshake_fails_the_call(
    contoso: Tenant, endpoint: Endpoint, echo: str, content_type: str
) -> None:
    endpoint.echo, endpoint.content_type = echo, content_type
    ann = await contoso.reader()

    made = await ann.post("/subscriptions", body(endpoint))

    assert refusal(made) == (400, "ValidationError")
    assert contoso.world.state.watches == {}


async def test_an_address_that_nobody_answers_or_that_is_not_https_fails(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await contoso.reader()

    silent = await ann.post(
        "/subscriptions", body(endpoint, notificationUrl="http://127.0.0.1:1/x")
    )
    plain = await ann.post("/subscriptions", body(endpoint, notificationUrl="http://a.test/x"))

    assert (refusal(silent), refusal(plain)) == ((400, "ValidationError"), (400, "InvalidRequest"))


async def test_a_short_life_is_raised_and_a_long_one_refused(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await contoso.reader()

    long = await ann.post("/subscriptions", body(endpoint, minutes=10_081))
    past = await ann.post("/subscriptions", body(endpoint, minutes=-1))
    short = await ann.post("/subscriptions", body(endpoint, minutes=5))

    assert refusal(long) == refusal(past) == (400, "InvalidRequest")
    assert short.json()["expirationDateTime"] == "2026-11-20T12:45:00Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"changeType": "moved"},
        {"resource": "me/messages"},
        {"clientState": "x" * 129},
        {"expirationDateTime": "soon"},
        {"notificationUrl": None},
    ],
)
async def test_a_subscription_that_makes_no_sense_is_refused(
    contoso: Tenant, endpoint: Endpoint, changes: dict[str, Any]
) -> None:
    ann = await contoso.reader()

    assert refusal(await ann.post("/subscriptions", body(endpoint, **changes)))[0] == 400


async def test_the_same_subscription_twice_is_a_conflict_that_names_the_first(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await watching(contoso, endpoint)
    (first,) = (await ann.read("/subscriptions"))["value"]

    again = await ann.post("/subscriptions", body(endpoint))
    other = await ann.post("/subscriptions", body(endpoint, changeType="deleted"))

    assert again.status_code == 409
    assert f"Subscription Id {first['id']} already exists" in again.json()["error"]["message"]
    assert other.status_code == 201


async def test_a_shared_calendar_and_another_mailbox_cannot_be_watched(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    account = contoso.world.directory.account("outlook", "ann@contoso.test")
    assert account
    contoso.world.directory.share(contoso.calendar(BOB), account, "writer")
    ann = await contoso.reader(scope="User.Read Calendars.Read.Shared")
    resources = [f"me/calendars/{contoso.calendar(BOB).id}/events", f"users/{BOB}/events"]

    answers = [await ann.post("/subscriptions", body(endpoint, resource=r)) for r in resources]

    assert {refusal(a) for a in answers} == {(403, "ErrorAccessDenied")}


async def test_it_is_renewed_read_and_ended(contoso: Tenant, endpoint: Endpoint) -> None:
    ann = await watching(contoso, endpoint)
    path = f"/subscriptions/{next(iter(contoso.world.state.watches))}"

    renewed = await ann.patch(path, {"expirationDateTime": "2026-11-25T00:00:00Z"})
    too_long = await ann.patch(path, {"expirationDateTime": "2026-12-25T00:00:00Z"})
    read = await ann.read(path)
    again = await ann.post(f"{path}/reauthorize", {})
    ended, gone = await ann.delete(path), await ann.delete(path)

    assert renewed.json()["expirationDateTime"] == "2026-11-25T00:00:00Z"
    assert (too_long.status_code, again.status_code) == (400, 202)
    assert read["expirationDateTime"] == "2026-11-25T00:00:00Z"
    assert (ended.status_code, refusal(gone)) == (204, (404, "ErrorItemNotFound"))


async def test_a_lapsed_subscription_is_gone_and_tells_nothing(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    await watching(contoso, endpoint, minutes=45)
    path = f"/subscriptions/{next(iter(contoso.world.state.watches))}"
    contoso.world.clock.advance(timedelta(minutes=46))
    contoso.hold()
    await contoso.world.courier.settle()
    ann = await contoso.reader()

    renewed = await ann.patch(path, {"expirationDateTime": "2026-11-25T00:00:00Z"})

    assert (renewed.status_code, endpoint.notices()) == (404, [])


async def test_a_change_is_told_as_graph_prints_it(contoso: Tenant, endpoint: Endpoint) -> None:
    await watching(contoso, endpoint)
    contoso.hold()
    await contoso.world.courier.settle()
    account = contoso.world.directory.account("outlook", "ann@contoso.test")
    (row,) = contoso.calendar().rows.values()
    assert account

    (notice,) = endpoint.notices()

    assert notice["resourceData"].pop("@odata.etag").startswith('W/"')
    path = f"Users/{account.subject}/Events/{row.id}"
    assert notice == {
        "subscriptionId": next(iter(contoso.world.state.watches)),
        "subscriptionExpirationDateTime": "2026-11-21T04:40:00+00:00",
        "changeType": "created",
        "resource": path,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Event",
            "@odata.id": path,
            "id": row.id,
        },
        "clientState": STATE,
        "tenantId": account.tenant_id,
    }


async def test_a_changed_occurrence_shows_only_as_an_update_of_its_series(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    meeting = contoso.hold(recurrence=WEEKLY)
    await watching(contoso, endpoint)
    edits.edit(contoso.world, meeting.id, "20261130T080000Z", title="Special")
    edits.cancel(contoso.world, meeting.id, "20261207T080000Z")
    await contoso.world.courier.settle()
    master = next(iter(contoso.calendar().rows))

    (post,) = endpoint.posts()

    assert [(n["changeType"], n["resourceData"]["id"]) for n in post] == [("updated", master)]


async def test_changes_made_together_come_in_one_post(contoso: Tenant, endpoint: Endpoint) -> None:
    gone = contoso.hold("Gone")
    await watching(contoso, endpoint)
    contoso.hold("One", day=24)
    contoso.hold("Two", day=25)
    edits.cancel(contoso.world, gone.id)
    await contoso.world.courier.settle()

    kinds = [[n["changeType"] for n in post] for post in endpoint.posts()]

    assert kinds == [["created", "created", "deleted"]]


async def test_only_the_wanted_changes_of_the_watched_calendar_are_told(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    await watching(contoso, endpoint, changeType="deleted")
    meeting = contoso.hold(attendees=[Guest(email=BOB)])
    edits.move(contoso.world, meeting.id, at(25, 9), at(25, 10))
    await contoso.world.courier.settle()
    edits.cancel(contoso.world, meeting.id)
    await contoso.world.courier.settle()

    assert [n["changeType"] for n in endpoint.notices()] == ["deleted"]


async def test_me_events_covers_the_default_calendar_alone(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    account = contoso.world.directory.account("outlook", "ann@contoso.test")
    assert account
    team = contoso.world.directory.add_calendar(account, "Team")
    ann = await watching(contoso, endpoint)
    contoso.hold("In team", calendar=team.id)
    await contoso.world.courier.settle()
    before = endpoint.notices()
    await ann.post("/subscriptions", body(endpoint, resource=f"me/calendars/{team.id}/events"))
    contoso.hold("In team again", day=24, calendar=team.id)
    await contoso.world.courier.settle()

    assert (before, len(endpoint.notices())) == ([], 1)


async def test_an_unanswered_notification_comes_again_until_it_is_taken(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    await watching(contoso, endpoint)
    endpoint.statuses = [500, 404]
    contoso.hold()
    await begun()
    contoso.world.clock.advance(timedelta(minutes=1))
    await contoso.world.courier.settle()

    (watch,) = contoso.world.state.watches.values()
    assert (len(endpoint.posts()), watch.delivered, watch.lost) == (3, 1, 0)
    assert len({msgspec.json.encode(post) for post in endpoint.posts()}) == 1


async def test_it_is_given_up_after_four_hours(contoso: Tenant, endpoint: Endpoint) -> None:
    await watching(contoso, endpoint)
    endpoint.statuses = [500] * 20
    contoso.hold()
    await begun()
    contoso.world.clock.advance(timedelta(hours=5))
    await contoso.world.courier.settle()

    (watch,) = contoso.world.state.watches.values()
    assert (len(endpoint.posts()), watch.delivered, watch.lost) == (10, 0, 1)


@pytest.mark.parametrize(
    ("kind", "posts", "states"),
    [
        ("drop", [], set()),
        ("duplicate", [2], {STATE}),
        ("wrong_client_state", [1], {"forged"}),
    ],
)
async def test_notifications_may_be_lost_repeated_or_forged(
    contoso: Tenant, endpoint: Endpoint, kind: str, posts: list[int], states: set[str]
) -> None:
    await watching(contoso, endpoint)
    contoso.world.faults.add("microsoft.push", kind)
    contoso.hold()
    await contoso.world.courier.settle()

    assert [len(post) for post in endpoint.posts()] == posts
    assert {n["clientState"] for n in endpoint.notices()} == states


async def test_a_held_back_notification_comes_with_the_next(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    await watching(contoso, endpoint)
    contoso.world.faults.add("microsoft.push", "batch")
    contoso.hold("One")
    await contoso.world.courier.settle()
    before = endpoint.posts()
    contoso.hold("Two", day=24)
    await contoso.world.courier.settle()

    assert (before, [len(post) for post in endpoint.posts()]) == ([], [2])


async def test_reauthorization_required_pauses_deliveries_until_it_happens(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await watching(contoso, endpoint)
    (watch,) = contoso.world.state.watches.values()
    order = {"event": "reauthorizationRequired", "email": "ann@contoso.test"}
    sent = await contoso.http.post("/sandbox/microsoft/lifecycle", json=order)
    contoso.hold()
    await contoso.world.courier.settle()
    paused = endpoint.notices()

    await ann.post(f"/subscriptions/{watch.id}/reauthorize", {})
    await contoso.world.courier.settle()

    assert sent.json() == {"sent": [watch.id]}
    assert endpoint.posts("/hooks/lifecycle") == [
        [
            {
                "subscriptionId": watch.id,
                "subscriptionExpirationDateTime": "2026-11-21T04:40:00+00:00",
                "tenantId": "84bd8158-6d4d-4958-8b9f-9d6445542f95",
                "clientState": STATE,
                "lifecycleEvent": "reauthorizationRequired",
            }
        ]
    ]
    assert (paused, len(endpoint.notices())) == ([], 1)


async def test_a_removed_subscription_is_told_to_its_lifecycle_address(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await watching(contoso, endpoint)

    await contoso.http.post("/sandbox/microsoft/lifecycle", json={"event": "subscriptionRemoved"})
    await contoso.world.courier.settle()

    (post,) = endpoint.posts("/hooks/lifecycle")
    assert post[0]["lifecycleEvent"] == "subscriptionRemoved"
    assert (await ann.read("/subscriptions"))["value"] == []


async def test_a_lost_answer_leaves_the_subscription_behind(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await contoso.reader()
    contoso.world.faults.add("microsoft.subscriptions", "lose_answer")

    lost = await ann.post("/subscriptions", body(endpoint))
    again = await ann.post("/subscriptions", body(endpoint))

    assert (lost.status_code, again.status_code) == (504, 409)


async def test_immutable_ids_are_told_to_those_who_subscribed_with_them(
    contoso: Tenant, endpoint: Endpoint
) -> None:
    ann = await contoso.reader()
    headers = ann.headers | {"Prefer": 'IdType="ImmutableId"'}
    await contoso.http.post(
        "/microsoft/graph/v1.0/subscriptions", json=body(endpoint), headers=headers
    )
    contoso.hold()
    await contoso.world.courier.settle()
    (row,) = await ann.view('IdType="ImmutableId"')

    (notice,) = endpoint.notices()

    assert notice["resourceData"]["id"] == row["id"]


async def begun() -> None:
    """Let the errands that were just sent begin, so that they count from this instant."""
    for _ in range(3):
        await asyncio.sleep(0)


def refusal(answer_: httpx.Response) -> tuple[int, Any]:
    return answer_.status_code, answer_.json()["error"]["code"]
