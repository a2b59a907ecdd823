"""How Graph's answers and refusals are put into HTTP: content type, request ids, what applied."""

from typing import Any

import msgspec
from litestar import Request, Response

from meetbot_calendar.sandbox.microsoft.access import Caller
from meetbot_calendar.sandbox.microsoft.failures import GraphRefusal, request_guid
from meetbot_calendar.sandbox.microsoft.trouble import HTML_503, HtmlTrouble

_JSON = "application/json"
_ODATA = (
    f"{_JSON};odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)


def answer(caller: Caller, content: dict[str, Any], status: int = 200) -> Response[bytes]:
    """Print an answer, saying which preferences were applied."""
    headers = {"request-id": request_guid(), "OData-Version": "4.0"}
    if caller.prefers.applied:
        headers["Preference-Applied"] = ", ".join(caller.prefers.applied)
    return Response(
        msgspec.json.encode(content), status_code=status, media_type=_ODATA, headers=headers
    )


def refused(request: Request[Any, Any, Any], refusal: GraphRefusal) -> Response[bytes]:
    """Print a refusal; the door noted the world's time in ``request.state.now``."""
    client_request_id = request.headers.get("client-request-id", "")
    body = refusal.body(request.state.now, client_request_id)
    headers = {"request-id": body["error"]["innerError"]["request-id"], **refusal.headers}
    return Response(
        msgspec.json.encode(body), status_code=refusal.status, media_type=_JSON, headers=headers
    )


def front_end_down(_request: Request[Any, Any, Any], _trouble: HtmlTrouble) -> Response[str]:
    """Print the front end's HTML."""
    return Response(HTML_503, status_code=503, media_type="text/html")
