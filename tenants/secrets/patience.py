"""After trouble with the key service, nobody asks for a while: each time in a row twice as long."""

from datetime import datetime, timedelta

import msgspec

from tenants.secrets.key_provider import KeyPurpose, KeyServiceDown, KeyServiceRefused

Trouble = KeyServiceDown | KeyServiceRefused

_FIRST = timedelta(seconds=1)
_LONGEST = timedelta(seconds=15)
_MOST_DOUBLINGS = 4


class _Pause(msgspec.Struct, kw_only=True):
    trouble: Trouble
    until: datetime
    times: int


class Patience:
    """Pauses each purpose by itself: who may not open grants can still read content."""

    def __init__(self) -> None:
        self._pauses: dict[KeyPurpose, _Pause] = {}

    def check(self, purpose: KeyPurpose, now: datetime) -> None:
        """Raise the last trouble again while its pause lasts."""
        pause = self._pauses.get(purpose)
        if pause is not None and now < pause.until:
            raise type(pause.trouble)(pause.trouble.detail)

    def had(self, purpose: KeyPurpose, trouble: Trouble, now: datetime) -> bool:
        """Begin a pause; False where one lasts already."""
        last = self._pauses.get(purpose)
        if last is not None and now < last.until:
            return False
        times = 0 if last is None else min(last.times + 1, _MOST_DOUBLINGS)
        until = now + min(_FIRST * 2**times, _LONGEST)
        self._pauses[purpose] = _Pause(trouble=trouble, until=until, times=times)
        return True

    def well(self, purpose: KeyPurpose) -> None:
        """End the pause: it answered."""
        self._pauses.pop(purpose, None)

    def all_well(self) -> None:
        """End every pause."""
        self._pauses.clear()
