"""The port: who counts how often somebody does something."""

from datetime import datetime
from typing import Protocol

from tenants.limits import Quota, Rate


class Limits(Protocol):
    """Counts for all processes together."""

    async def take(self, name: str, rate: Rate, now: datetime, *, cost: int = 1) -> Quota | None:
        """Count so many; None where nobody can say, which limits nobody. Never raises."""
        ...


class Unlimited:
    """Counts nothing."""

    async def take(self, name: str, rate: Rate, now: datetime, *, cost: int = 1) -> Quota | None:
        """Say nothing."""
        del name, rate, now, cost
        return None
