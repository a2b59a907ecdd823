"""One fleet's API, spoken to under our key: orders out, answers bounded and judged."""

from collections.abc import Mapping
from typing import Any

import msgspec

from meetbot_calendar.errors import GiveUp, OutcomeUnknown, TryLater
from meetbot_calendar.gateways.fleets.refusals import GONE, NOT_LET_IN, closed
from meetbot_calendar.gateways.transport import Answer, Transport, retry_after
from meetbot_calendar.gateways.untrusted import Json, child, object_in, text

_TIME_LIMIT = 15.0
_LOOK_LIMIT = 8.0  # a fleet that reports waits for our answer while we look
_MAX_BYTES = 64 * 1024
_MOST_LISTED = 4 * 1024 * 1024


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fleet is, our key there, and what it signs its reports with and sends them to."""

    url: str
    api_key: str
    callback_secret: str
    reports_url: str = ""

    def __repr__(self) -> str:
        return f"Account({self.url})"


class Line:
    """Sends requests to one API. ``root`` stands before every path."""

    def __init__(self, transport: Transport, root: str, key: Mapping[str, str]) -> None:
        self._transport = transport
        self._root = root
        # Without a key: refused, not unsendable.
        self._key = {name: value.strip() for name, value in key.items()}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; statuses are the caller's to judge."""
        return await self._transport.request(
            method,
            self._root + path,
            headers={**self._key, **(headers or {})},
            json=body,
            timeout=_TIME_LIMIT,
            max_bytes=_MAX_BYTES,
        )

    async def look(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON may be anything
        """Read something; None where there is no such thing.

        Raises ``TryLater`` or ``InstallationFault``: that a look fails says nothing of a bot.
        """
        answer = await self._transport.request(
            "GET",
            self._root + path,
            headers=self._key,
            params=params,
            timeout=_LOOK_LIMIT,
            max_bytes=_MOST_LISTED,
        )
        if answer.status in GONE:
            return None
        if answer.status in NOT_LET_IN:
            raise closed(answer)
        if not answer.is_success:
            detail = f"the fleet cannot say now ({answer.status})"
            raise TryLater(detail, after=retry_after(answer), code="fleet_busy")
        try:
            return answer.json()
        except GiveUp as error:
            raise TryLater(error.detail, code=error.code) from error


def taken(answer: Answer, key: str, within: str = "") -> str:
    """Return the id of a bot that was taken; an answer without one leaves the outcome unknown."""
    body: Json = object_in(answer.body)
    row = child(body, within) if within else body
    found = text(row, key) or _number(row, key)
    if found is None:
        raise OutcomeUnknown("the fleet took the bot but did not say its id")
    return found


def _number(row: Json, key: str) -> str | None:
    found = row.get(key)
    return str(found) if type(found) is int else None


def root_of(url: str, version: str) -> str:
    """Return the API's root, however much of it the operator's address already holds."""
    return url.rstrip("/").removesuffix(version) + version
