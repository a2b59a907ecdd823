"""Stands where no fleet is set: bots are planned, and the operator is told why none leaves."""

from collections.abc import Mapping
from datetime import datetime

from meetbot_calendar.bots.fleet import Notice, Order, Report
from meetbot_calendar.errors import InstallationFault


class UnsetFleet:
    """Refuses every order with the remedy."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _fault(self) -> InstallationFault:
        remedy = "set MEETBOT_FLEET_URL, MEETBOT_FLEET_API_KEY and the callback secret"
        return InstallationFault(f"no bot fleet can be reached: {remedy}", code="no_fleet")

    async def send(self, order: Order) -> str:
        """Refuse."""
        _ = order
        raise self._fault()

    async def find(self, order: Order) -> str | None:
        """Refuse."""
        _ = order
        raise self._fault()

    async def recall(self, fleet_bot_id: str) -> None:
        """Refuse."""
        _ = fleet_bot_id
        raise self._fault()

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Refuse."""
        _ = fleet_bot_id
        raise self._fault()

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Refuse."""
        _ = headers, body, now
        raise self._fault()

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Refuse."""
        _ = headers, body, now
        raise self._fault()
