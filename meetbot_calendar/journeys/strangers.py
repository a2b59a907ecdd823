"""Whom this process has met at the door: a small memory, whose loss costs a look into the rows."""

from collections import OrderedDict
from datetime import datetime

_MOST = 4096


class Strangers:
    """Addresses that are refused for now, and keys (by their hash) that were good from there."""

    def __init__(self) -> None:
        self._refused: OrderedDict[str, datetime] = OrderedDict()
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def refuse(self, address: str, until: datetime) -> None:
        """Look at no unknown key from an address until then."""
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

    def welcome(self, address: str, digest: bytes) -> None:
        """Remember that a key was good from an address."""
        self._known[(address, digest)] = None
        self._known.move_to_end((address, digest))
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def is_known(self, address: str, digest: bytes) -> bool:
        """Say whether a key was good from an address before; it may have been revoked since."""
        return (address, digest) in self._known
