"""Every route there is, found in the OpenAPI document, and requests that name things on them."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
from httpx import Response

from tests.attacks.scene import Patient

Json = dict[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
NEVER_WAS = "zzzz0000000000000000000000"
A_WORD = "a-word-of-ones-own"
_HOLE = re.compile(r"{(\w+)}")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the document."""

    method: str
    path: str
    operation: Json
    document: Json

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def holes(self) -> list[str]:
        """The names of its path parameters."""
        return _HOLE.findall(self.path)

    @property
    def names_things(self) -> bool:
        """Say whether its path names something that could be another's."""
        return any(self.values_of(hole) is None for hole in self.holes)

    @property
    def is_for_others(self) -> bool:
        """Say whether it is for browsers, providers, fleets or machines that watch, without key."""
        tags = set(self.operation["tags"])
        return bool(tags & {"Inbound", "Service"}) or "/oauth/callback/" in self.path

    @property
    def is_operators(self) -> bool:
        return self.path.startswith("/v1/tenants")

    def values_of(self, hole: str) -> list[str] | None:
        """Return the values a path parameter can have, where there are but a few."""
        found = next(p for p in self.parameters() if p["name"] == hole)
        values = resolved(self.document, found["schema"]).get("enum")
        return None if values is None else list(values)

    def parameters(self) -> list[Json]:
        return [_pointed_at(self.document, p) for p in self.operation.get("parameters", [])]

    def queries(self) -> list[str]:
        """Return the query parameters and headers in which something can be named."""
        return [
            f"{p['in']}:{p['name']}"
            for p in self.parameters()
            if p["in"] in ("query", "header") and _is_text(self.document, p["schema"])
        ]

    def body(self) -> Json | None:
        """Return the schema of its body."""
        content = self.operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return None if schema is None else resolved(self.document, schema)

    def at(self, *values: str) -> str:
        """Fill in the path's holes."""
        given = iter(values)
        return _HOLE.sub(lambda _: quote(next(given), safe=""), self.path)


async def all_routes(anybody: Patient) -> list[Route]:
    """Read the document."""
    document = (await anybody.get("/schema/openapi.json")).json()
    return [
        Route(method=method, path=path, operation=item[method], document=document)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def resolved(document: Json, schema: Json) -> Json:
    """Follow references, and leave out that something may be null."""
    if "$ref" in schema:
        return resolved(document, _pointed_at(document, schema))
    for several in ("oneOf", "anyOf"):
        kinds = [one for one in schema.get(several, []) if one.get("type") != "null"]
        if kinds:
            return resolved(document, kinds[0])
    return schema


def _pointed_at(document: Json, given: Json) -> Json:
    if "$ref" not in given:
        return given
    _, *steps = given["$ref"].split("/")
    for step in steps:
        document = document[step]
    return document


def _is_text(document: Json, schema: Json) -> bool:
    found = resolved(document, schema)
    kinds = found.get("type", [])
    return "enum" not in found and ("string" in kinds)


def sample(document: Json, schema: Json, name: str, filling: str) -> Any:
    """Make a body that has what it must; whatever can name something has ``filling`` in it."""
    found = resolved(document, schema)
    kind = found.get("type")
    kind = next(k for k in kind if k != "null") if isinstance(kind, list) else kind
    if kind == "object" or "properties" in found:
        return {
            key: sample(document, inner, key, filling)
            for key, inner in found.get("properties", {}).items()
            if key in found.get("required", []) or _names_something(key)
        }
    if kind == "array":
        return [sample(document, found.get("items", {"type": "string"}), name, filling)]
    if kind in ("integer", "number", "boolean"):
        return found.get("minimum", 1) if kind != "boolean" else True
    return _text(found, name, filling)


def _text(schema: Json, name: str, filling: str) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    if schema.get("format") == "date-time":
        return "2027-01-01T00:00:00Z"
    if _names_something(name):
        return filling
    return "https://mallory.example/hook" if "url" in name else "something"


def _names_something(name: str) -> bool:
    return name == "id" or name.endswith(("_id", "_ids"))


def bodies_of(route: Route, filling: str) -> Iterator[Json | None]:
    """Return the bodies to try a route with."""
    schema = route.body()
    if schema is None:
        yield None if route.method in ("get", "delete") else {}
        return
    yield sample(route.document, schema, "", filling)


def what_is_told(answer: Response, *names: str) -> tuple[int, str]:
    """Return status and body, without the names that were asked for and the request's own id."""
    said = re.sub(r'"request_id":"[^"]*",?', "", answer.text)
    for name in sorted(names, key=len, reverse=True):
        said = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", said, flags=re.IGNORECASE)
    return answer.status_code, said
