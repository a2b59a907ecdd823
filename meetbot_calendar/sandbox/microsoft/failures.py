"""What Graph answers when it refuses (providers 8): a status, a code to branch on, a message."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any


class GraphRefusal(Exception):
    """A refusal on its way to the caller; the door adds date and request id."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self, now: datetime, client_request_id: str = "") -> dict[str, Any]:
        """Return the JSON of the refusal."""
        request_id = request_guid()
        inner = {
            "date": f"{now:%Y-%m-%dT%H:%M:%S}",
            "request-id": request_id,
            "client-request-id": client_request_id or request_id,
        }
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def request_guid() -> str:
    """Make a GUID, as requests and subscriptions are named by."""
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def bad_token(message: str = "Access token is empty.") -> GraphRefusal:
    """401: the caller must refresh its token, once."""
    challenge = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common"'
    headers = {"WWW-Authenticate": challenge}
    return GraphRefusal(401, "InvalidAuthenticationToken", message, headers)


def access_denied() -> GraphRefusal:
    """403: the grant does not reach this."""
    return GraphRefusal(
        403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."
    )


def item_not_found() -> GraphRefusal:
    """404: deleted, never there, or not of this mailbox."""
    return GraphRefusal(
        404, "ErrorItemNotFound", "The specified object was not found in the store."
    )


def malformed_id() -> GraphRefusal:
    """400: an id that no mailbox could have made."""
    return GraphRefusal(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def bad_parameter(message: str) -> GraphRefusal:
    """400: a query that the resource does not take."""
    return GraphRefusal(400, "ErrorInvalidParameter", message)


def no_mailbox() -> GraphRefusal:
    """404: the account has no Exchange Online mailbox."""
    text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
    return GraphRefusal(404, "MailboxNotEnabledForRESTAPI", text)


def throttled(seconds: int, limit: str = "MailboxConcurrency") -> GraphRefusal:
    """429: wait for as long as ``Retry-After`` says."""
    return GraphRefusal(
        429,
        "ApplicationThrottled",
        f"Application is over its {limit} limit.",
        {"Retry-After": str(seconds)},
    )


def sync_state_gone(status: int, location: str) -> GraphRefusal:
    """410, or 400/404 with the same code: the delta token is worth nothing any more."""
    headers = {"Location": location} if status == 410 else {}  # noqa: PLR2004 - HTTP's Gone
    return GraphRefusal(
        status,
        "SyncStateNotFound" if status == 410 else "syncStateNotFound",  # noqa: PLR2004 - as above
        "The sync state generation is not found; resync is required.",
        headers,
    )
