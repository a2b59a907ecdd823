"""Templates become pages: everything escaped, nothing loaded from anywhere."""

import json
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from meetbot_calendar.web.pages import HEADERS

_POLICY = HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
_HEADERS = HEADERS | {"Content-Security-Policy": _POLICY}


def _instant(value: datetime | None) -> str:
    return "never" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _document(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


_PAGES = Environment(
    loader=PackageLoader("meetbot_calendar.web.admin", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters["instant"] = _instant
_PAGES.filters["document"] = _document


def show(template: str, *, status: int = 200, **values: Any) -> Response[str]:  # noqa: ANN401
    """Render a page of the admin's."""
    whole = _PAGES.get_template(template).render(values)
    return Response(whole, status_code=status, media_type="text/html", headers=_HEADERS)
