"""``/v1/webhook-endpoints``: where a tenant wants to be told."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from meetbot_calendar.deliveries.model import Endpoint, EndpointId, EndpointStatus, MessageType
from meetbot_calendar.journeys import accounts, deliver, endpoints
from meetbot_calendar.journeys.endpoints import EndpointChange, EndpointWish
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    Given,
    PageOf,
    Text,
    Url,
    Wish,
    page_of,
    utc,
    utc_or_none,
)

Subscription = MessageType | Literal["*"]
Events = Annotated[
    tuple[Subscription, ...],
    msgspec.Meta(min_length=1, max_length=20, description='Message types, or `["*"]` for all.'),
]


class EndpointBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to register: https and public."""

    url: Url
    events: Events
    description: Text | None = None


class EndpointPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an endpoint; enabling one lets its failures be forgotten."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    events: Events | msgspec.UnsetType = msgspec.UNSET
    description: Text | msgspec.UnsetType | None = msgspec.UNSET
    status: EndpointStatus | msgspec.UnsetType = msgspec.UNSET


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook endpoint, without its secret."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str | None
    status: EndpointStatus
    disabled_reason: str | None
    failing_since: datetime | None
    old_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


class NewEndpointView(EndpointView, frozen=True, kw_only=True):
    """A webhook endpoint with its newest secret, which is shown here alone."""

    secret: str

    def __repr__(self) -> str:
        return f"NewEndpointView({self.id}, ***)"


class SinceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on everything is sent again: an instant of ISO 8601, with its zone."""

    since: Annotated[datetime, msgspec.Meta(tz=True)]


class AgainView(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages are on their way again."""

    messages: int


class TestView(msgspec.Struct, frozen=True, kw_only=True):
    """The test message that is on its way."""

    message_id: str


def endpoint_view(endpoint: Endpoint) -> EndpointView:
    """Write an endpoint."""
    return EndpointView(
        id=endpoint.id,
        url=endpoint.url,
        events=endpoint.events,
        description=endpoint.description,
        status=endpoint.status,
        disabled_reason=endpoint.disabled_reason,
        failing_since=utc_or_none(endpoint.failing_since),
        old_secret_until=utc_or_none(endpoint.old_secret_until),
        created_at=utc(endpoint.created_at),
        updated_at=utc(endpoint.updated_at),
    )


def _with_secret(endpoint: Endpoint) -> NewEndpointView:
    shown = msgspec.structs.asdict(endpoint_view(endpoint))
    return NewEndpointView(**shown, secret=endpoint.secrets[0])


@get()
async def list_webhook_endpoints(
    services: Given, context: Caller, wish: Wish
) -> PageOf[EndpointView]:
    """List webhook endpoints, newest first."""
    listed = await endpoints.list_endpoints(services, context, wish)
    return page_of(listed, tuple(endpoint_view(endpoint) for endpoint in listed.results))


@post()
async def create_webhook_endpoint(
    services: Given, context: Caller, data: JSONBody[EndpointBody]
) -> NewEndpointView:
    """Register a webhook endpoint. Its secret is shown in this answer alone."""
    wish = EndpointWish(url=data.url, events=data.events, description=data.description)
    return _with_secret(await endpoints.create_endpoint(services, context, wish))


@get("/{endpoint_id:str}")
async def read_webhook_endpoint(
    services: Given, context: Caller, endpoint_id: FromPath[EndpointId]
) -> EndpointView:
    """Return one webhook endpoint."""
    return endpoint_view(await endpoints.read_endpoint(services, context, endpoint_id))


@patch("/{endpoint_id:str}")
async def change_webhook_endpoint(
    services: Given,
    context: Caller,
    endpoint_id: FromPath[EndpointId],
    data: JSONBody[EndpointPatch],
) -> EndpointView:
    """Change a webhook endpoint."""
    change = EndpointChange(
        url=data.url, events=data.events, description=data.description, status=data.status
    )
    return endpoint_view(await endpoints.change_endpoint(services, context, endpoint_id, change))


@delete("/{endpoint_id:str}")
async def remove_webhook_endpoint(
    services: Given, context: Caller, endpoint_id: FromPath[EndpointId]
) -> None:
    """Remove a webhook endpoint with its deliveries."""
    await endpoints.remove_endpoint(services, context, endpoint_id)


@post("/{endpoint_id:str}/rotate-secret", status_code=200)
async def rotate_webhook_secret(
    services: Given, context: Caller, endpoint_id: FromPath[EndpointId]
) -> NewEndpointView:
    """Make a new secret; for 24 hours the one before signs beside it."""
    return _with_secret(await endpoints.rotate_secret(services, context, endpoint_id))


@post("/{endpoint_id:str}/test", status_code=202)
async def test_webhook_endpoint(
    services: Given, context: Caller, endpoint_id: FromPath[EndpointId]
) -> TestView:
    """Send an `endpoint.test` message to a webhook endpoint."""
    await endpoints.read_endpoint(services, context, endpoint_id)
    message_id = await deliver.send_test(services, context, endpoint_id)
    await accounts.note(services, context, "endpoint.tested", endpoint_id)
    return TestView(message_id=message_id)


@post("/{endpoint_id:str}/redeliver", status_code=202)
async def redeliver_to_webhook_endpoint(
    services: Given,
    context: Caller,
    endpoint_id: FromPath[EndpointId],
    data: JSONBody[SinceBody],
) -> AgainView:
    """Send everything since an instant again, and what was missed while it was disabled."""
    again = await endpoints.redeliver_since(services, context, endpoint_id, data.since)
    return AgainView(messages=again)


router = Router(
    "/v1/webhook-endpoints",
    route_handlers=[
        list_webhook_endpoints,
        create_webhook_endpoint,
        read_webhook_endpoint,
        change_webhook_endpoint,
        remove_webhook_endpoint,
        rotate_webhook_secret,
        test_webhook_endpoint,
        redeliver_to_webhook_endpoint,
    ],
    dependencies=PAGED,
    tags=["Webhooks"],
)
