"""The API's reference as a page of our own: made from the document, loading nothing."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import MediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin, YamlRenderPlugin

from meetbot_calendar.web.openapi import Json, complete

_ASSETS = Path(__file__).parent / "assets"
_STYLE = (_ASSETS / "reference.css").read_text(encoding="utf-8")
_SCRIPT = (_ASSETS / "reference.js").read_text(encoding="utf-8")
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_SCRIPT_HASH}';"
    " base-uri 'none'; form-action 'none'"
)
_MOST_LEVELS = 4

_Asked = Request[Any, Any, Any]


class _Completed:
    """The completed document, made once: the routes do not change."""

    def __init__(self) -> None:
        self._document: Json | None = None

    def of(self, request: _Asked, openapi_schema: Json) -> Json:
        if self._document is None:
            self._document = complete(openapi_schema, request.app)
        return self._document


class JsonDocument(OpenAPIRenderPlugin):
    """Serves the completed document as JSON."""

    def __init__(self, completed: _Completed) -> None:
        super().__init__(path="/openapi.json", media_type=MediaType.JSON)
        self._completed = completed

    def render(self, request: _Asked, openapi_schema: Json) -> bytes:
        """Write it."""
        return msgspec.json.encode(self._completed.of(request, openapi_schema))


class YamlDocument(YamlRenderPlugin):
    """Serves the completed document as YAML."""

    def __init__(self, completed: _Completed) -> None:
        super().__init__(path=("/openapi.yaml", "/openapi.yml"))
        self._completed = completed

    def render(self, request: _Asked, openapi_schema: Json) -> bytes:
        """Write it."""
        return super().render(request, self._completed.of(request, openapi_schema))


class ReferencePage(OpenAPIRenderPlugin):
    """Serves the completed document as a page to read and to search."""

    def __init__(self, completed: _Completed) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)
        self._completed = completed

    def render(self, request: _Asked, openapi_schema: Json) -> bytes:
        """Write it."""
        return page_of(self._completed.of(request, openapi_schema)).encode()


def documents() -> list[OpenAPIRenderPlugin]:
    """Give the three, of one document."""
    completed = _Completed()
    return [ReferencePage(completed), JsonDocument(completed), YamlDocument(completed)]


def page_of(document: Json) -> str:
    """Write the whole page."""
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        f"<title>{escape(info['title'])}: API reference</title><style>{_STYLE}</style></head>"
        f"<body><header><b>{escape(info['title'])} {escape(info['version'])}</b>"
        '<input type="search" placeholder="search: path, word, field" aria-label="search">'
        '<span><a href="/schema/openapi.json">JSON</a> · <a href="/schema/openapi.yaml">YAML</a>'
        f"</span></header><main><pre>{escape(info['description'])}</pre>"
        f"{''.join(_chapters(document))}</main><script>{_SCRIPT}</script></body></html>"
    )


def _chapters(document: Json) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p><small>{escape(tag['description'])}</small></p>"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation.get("tags", []):
                    yield _operation(document, path, method, operation)


def _operation(document: Json, path: str, method: str, operation: Json) -> str:
    name = escape(operation["operationId"])
    parts = [
        f"<p>{escape(operation.get('description', ''))}</p>",
        _parameters(document, operation.get("parameters", [])),
        _body(document, operation),
        *(_response(document, status, it) for status, it in operation["responses"].items()),
    ]
    return (
        f'<details id="{name}"><summary><span class="m {method}">{method.upper()}</span>'
        f"<code>{escape(path)}</code> <small>{escape(operation.get('summary', ''))}</small>"
        f"</summary><div>{''.join(parts)}</div></details>"
    )


def _parameters(document: Json, parameters: list[Json]) -> str:
    rows = []
    for given in parameters:
        parameter = _resolved(document, given)
        schema = " ".join(_lines(document, parameter["schema"], 0))
        must = "" if parameter.get("required") else "<small>optional</small>"
        rows.append(
            f"<tr><td><code>{escape(parameter['name'])}</code> {must}</td>"
            f"<td><small>{escape(parameter['in'])}</small></td><td><code>{escape(schema)}</code>"
            f"</td><td>{escape(parameter.get('description', ''))}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _body(document: Json, operation: Json) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return "".join(
        f"<h4>Body</h4>{_described(document, media['schema'])}" for media in content.values()
    )


def _response(document: Json, status: str, response: Json) -> str:
    said = f"<b>{escape(status)}</b> {escape(response.get('description', ''))}"
    shown = ""
    if status.startswith("2"):
        for media in response.get("content", {}).values():
            shown += _described(document, media.get("schema", {}))
    return f"<p>{said}</p>{shown}"


def _described(document: Json, schema: Json) -> str:
    text = _resolved(document, schema).get("description", "")
    sentence = f"<p><small>{escape(text)}</small></p>" if text else ""
    return f"{sentence}<pre>{escape(chr(10).join(_lines(document, schema, 0)))}</pre>"


def _resolved(document: Json, schema: Json) -> Json:
    found = schema
    while "$ref" in found:
        found = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return found


def _lines(document: Json, schema: Json, level: int) -> Iterator[str]:
    """Write a schema as one would write an example: names with their kinds, nested by level."""
    known = _resolved(document, schema)
    indent = "  " * level
    if "properties" in known and level < _MOST_LEVELS:
        needed = set(known.get("required", []))
        yield indent + "{"
        for name, inner in known["properties"].items():
            first, *rest = _lines(document, inner, level + 1)
            mark = "" if name in needed else "?"
            yield f"{indent}  {name}{mark}: {first.strip()}"
            yield from rest
        yield indent + "}"
    elif known.get("type") == "array" and level < _MOST_LEVELS:
        first, *rest = _lines(document, known.get("items", {}), level)
        yield f"{indent}[{first.strip()}"
        yield from rest
        yield indent + "…]"
    else:
        yield indent + _kind(document, known)


def _kind(document: Json, schema: Mapping[str, Any]) -> str:
    for combined in ("anyOf", "oneOf"):
        if combined in schema:
            inner = (_kind(document, _resolved(document, part)) for part in schema[combined])
            return " | ".join(dict.fromkeys(inner))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type", "any JSON")
    words = kind if isinstance(kind, str) else " | ".join(kind)
    return schema.get("format", words) if words == "string" else str(schema.get("title", words))
