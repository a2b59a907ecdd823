"""Whom this process turns away at the door: a small memory, whose loss costs a count in Redis."""

from collections import OrderedDict
from datetime import datetime

_MOST = 4096


class Strangers:
    """Addresses whose wrong keys are refused for now."""

    def __init__(self) -> None:
        self._refused: OrderedDict[str, datetime] = OrderedDict()

    def refuse(self, address: str, until: datetime) -> None:
        """Count no wrong key from an address until then: it is refused."""
        self._refused[address] = until
        self._refused.move_to_end(address)
        while len(self._refused) > _MOST:
            self._refused.popitem(last=False)

    def refused_until(self, address: str, now: datetime) -> datetime | None:
        """Say until when an address is refused; None where it is not."""
        until = self._refused.get(address)
        if until is None or until <= now:
            self._refused.pop(address, None)
            return None
        return until
