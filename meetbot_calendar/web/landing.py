"""``/``: where things are."""

from litestar import Response, get

from meetbot_calendar.web.auth import PUBLIC
from meetbot_calendar.web.pages import html

_PLACES = (
    ("/admin", "A tenant's page: connections, next bots, decisions, deliveries"),
    ("/schema", "API reference"),
    ("/schema/openapi.json", "OpenAPI 3.1 document, also as /schema/openapi.yaml"),
    ("/health/ready", "Is everything well?"),
    ("/health/live", "Does the process answer?"),
    ("/metrics", "Counters, for Prometheus"),
)


@get("/", opt=PUBLIC, include_in_schema=False, media_type="text/html")
async def landing() -> Response[str]:
    """Say where things are."""
    rows = "".join(f'<p><a href="{path}">{path}</a><br>{what}</p>' for path, what in _PLACES)
    return html("Meetbot Calendar", f"<h1>Meetbot Calendar</h1><p>Calendar in, bots out.</p>{rows}")
