"""The port: what a bot fleet can do for us."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One bot to send, as the fleet is told. ``key`` is the same however often it is sent.

    ``attempt`` counts the times it was sent anew after a clear refusal: an order of unknown outcome
    keeps its number.
    """

    key: str
    bot_id: str
    tenant_id: str
    meeting_url: str
    platform: str | None
    join_at: datetime
    bot_config: dict[str, Any]
    metadata: dict[str, Any]
    callback_url: str
    attempt: int = 1


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet says of a bot, verified and mapped to our words.

    ``message_id`` is what the fleet signed beside a body that does not name the bot.
    """

    kind: Literal["joined", "completed", "failed"]
    at: datetime
    recording_url: str | None = None
    transcript_url: str | None = None
    duration_seconds: float | None = None
    reason: str | None = None
    message_id: str | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet told of one of its bots at its account's address, verified.

    ``bot_id`` is ours, where the fleet carries what we gave it along; otherwise the bot is known by
    the fleet's own id alone. Without a ``report`` nothing happened that we keep.
    """

    fleet_bot_id: str
    bot_id: str | None = None
    report: Report | None = None


class Fleet(Protocol):
    """The service that really joins meetings."""

    name: str

    async def send(self, order: Order) -> str:
        """Send one bot and return the fleet's id for it.

        Raises ``TryLater`` (full, throttled, unreachable before the request left),
        ``OutcomeUnknown`` (the answer never came), ``GiveUp`` (bad link),
        ``InstallationFault`` (our key is refused).
        """
        ...

    async def find(self, order: Order) -> str | None:
        """Ask whether an order of unknown outcome arrived; None if it did not.

        Raises ``TryLater`` or ``InstallationFault`` where that cannot be said now.
        """
        ...

    async def recall(self, fleet_bot_id: str) -> None:
        """Call a bot back. One that is gone or done is fine. Raises as ``send`` does."""
        ...

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Ask what became of a bot that fell silent.

        Returns the furthest that it has come, as a report; None where it has not joined, or the
        fleet does not know it. Raises as ``send`` does.
        """
        ...

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Verify what somebody posted as a report of one bot, and map it to our words.

        ``headers`` are lower case. Raises ``Tampered`` when the fleet did not sign exactly this,
        lately, ``Invalid`` when it did but the body is not a report, and ``Missing`` where the
        fleet reports to its account's address alone.
        """
        ...

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Verify what somebody posted to the account's address; None if it is of no bot.

        Raises as ``read_report`` does, ``Missing`` where the fleet reports bot by bot.
        """
        ...
