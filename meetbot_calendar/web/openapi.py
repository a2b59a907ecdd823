"""The OpenAPI document: what Litestar knows of the routes, completed by what it does not."""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute

from meetbot_calendar.web.api.rules import RuleSetBody
from meetbot_calendar.web.bodies import kind_of
from meetbot_calendar.web.problems import Problem

Json = dict[str, Any]

_DESCRIPTION = """\
Calendar in, bots out: connect people's calendars, say by rules which meetings are recorded, and
bots are sent to them in time.

* Every path under `/v1` is served under `/api/v1` as well, the same.
* `Authorization: Bearer KEY`, or `Token KEY`. An API key that is bound to one calendar user sees
  nothing else. What is not yours is 404.
* Errors are problem documents (RFC 9457) with a stable `code`, and for bad input `errors` with a
  JSON pointer each: into the body, or `/query/NAME`, `/path/NAME`, `/header/NAME`.
* Lists are paged by cursor: pass `next` or `previous` as `cursor`.
* `POST` takes `Idempotency-Key`: for 24 hours a repetition is answered as the first was.
* Instants are ISO 8601 in UTC with `Z`.
"""
_TAGS = (
    ("Tenants", "The operator's: who may use this installation."),
    ("Tenant", "Your own settings, use and audit log."),
    ("API keys", "Keys of your tenant, or bound to one calendar user."),
    ("OAuth apps", "Your own OAuth clients, so that consents show your name."),
    ("Connecting", "Consent links, and the way back from the provider."),
    ("Calendar users", "The people whose calendars are read."),
    ("Calendars", "Accounts and calendars, and how their syncing goes."),
    ("Events", "Meetings, each with its decision and its bots."),
    ("Rules", "What decides which meetings are recorded."),
    ("Bots", "What is sent to meetings."),
    ("Webhooks", "Being told, and seeing how the telling went."),
    ("MeetStream", "MeetStream's calendar surface, for its clients: another way to the same."),
    ("Service", "Health."),
    ("Inbound", "For providers and fleets; not called by you."),
)
_REFUSALS = {
    "400": "A parameter or the body cannot be read, or the state forbids it",
    "401": "The key is missing, unknown, revoked or expired",
    "404": "There is no such thing, or it is not yours",
    "409": "Something else already stands there",
    "413": "The body is larger than 1 MiB",
    "422": "Places in the body are wrong; each is named",
    "429": "You ask too often; `Retry-After` says how many seconds to wait",
    "503": "A part of the service, or the provider, cannot be reached",
}
_GENERIC = re.compile(r"PageOf_[\w.]*\.(\w+?)View_")
_PAGE: Json = {
    "description": "A page for the person who came back",
    "content": {"text/html": {"schema": {"type": "string"}}},
}
_WITH_BODY = frozenset({"409", "413", "422"})


def config(version: str, plugins: Sequence[OpenAPIRenderPlugin], router: Router) -> OpenAPIConfig:
    """Say what stands above the paths, and who serves it where."""
    return OpenAPIConfig(
        title="Meetbot Calendar",
        version=version,
        render_plugins=plugins,
        openapi_router=router,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        tags=[Tag(name=name, description=text) for name, text in _TAGS],
        components=Components(
            security_schemes={
                "api_key": _bearer("A key of a tenant."),
                "operator_key": _bearer("The operator's key."),
            }
        ),
    )


def _operation_id(handler: HTTPRouteHandler, _method: object, path: Sequence[object]) -> str:
    """Name an operation after its handler; one of several addresses after the address."""
    return str(path[-1]) if len(handler.paths) > 1 else handler.handler_name


def _bearer(description: str) -> SecurityScheme:
    return SecurityScheme(type="http", scheme="bearer", description=description)


def complete(schema: Json, app: Litestar) -> Json:
    """Add to Litestar's document what it leaves out; returns a new one."""
    document = deepcopy(schema)
    document["components"]["schemas"] |= _strict_schemas(app)
    document["components"]["parameters"] = {"IdempotencyKey": _idempotency_key()}
    doors = _doors(app)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(operation, method, doors.get((path, method), "tenant"))
    rules = document["paths"]["/v1/calendar/users/{user_id}/rules"]["put"]
    rules["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _reference(RuleSetBody.__name__)}},
    }
    back = document["paths"]["/v1/calendar/oauth/callback/{provider}"]["get"]
    for response in back["responses"].values():
        response.setdefault("content", {}).update(_PAGE["content"])
    back["responses"]["200"] = _PAGE
    back["responses"]["302"] = {"description": "Back to the tenant's address, with the outcome"}
    return _with_short_names(document)


def _with_short_names(document: Json) -> Json:
    """Call a page of bots ``BotPage``: generic kinds are named after their modules otherwise."""
    text = msgspec.json.encode(document).decode()
    return msgspec.json.decode(_GENERIC.sub(r"\1Page", text), type=Json)


def _complete(operation: Json, method: str, door: str) -> None:
    for response in operation["responses"].values():
        response.pop("headers", None)
    operation["responses"].pop("400", None)
    for status, text in _REFUSALS.items():
        if status == "401" and door == "public":
            continue
        if status in _WITH_BODY and method == "get":
            continue
        operation["responses"].setdefault(status, _problem(text))
    operation["responses"]["default"] = _problem("Something else went wrong")
    operation["security"] = _security(door)
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    if method == "post" and door in ("tenant", "person"):
        parameters = operation.setdefault("parameters", [])
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})


def _security(door: str) -> list[Json]:
    if door == "public":
        return []
    return [{"operator_key": []}] if door == "operator" else [{"api_key": []}]


def _doors(app: Litestar) -> dict[tuple[str, str], str]:
    return {
        (route.path_format, method.lower()): handler.opt.get("door", "tenant")
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != HttpMethod.OPTIONS
    }


def _strict_schemas(app: Litestar) -> Json:
    """Describe bodies as msgspec does: with what a body may not hold."""
    kinds = [*dict.fromkeys(_body_kinds(app)), RuleSetBody, Problem]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return schemas


def _body_kinds(app: Litestar) -> Iterator[type[msgspec.Struct]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                field = handler.parsed_data_field
                if field is not None:
                    yield kind_of(field)


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _problem(text: str) -> Json:
    schema = _reference(Problem.__name__)
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}


def _idempotency_key() -> Json:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Repeating a request under the same key gives the first answer again.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        },
    }
