"""What this process has taken of a quota that all processes share, and not used yet."""

from datetime import datetime


class Allowances:
    """Small change: what was taken at once, to be spent one by one until it lapses."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[int, datetime]] = {}

    def keep(self, name: str, many: int, until: datetime) -> None:
        """Put aside what was just taken; an older rest is forgotten."""
        self._left[name] = (many, until)

    def spend(self, name: str, many: int, now: datetime) -> bool:
        """Use up so many, if they are there."""
        left, until = self._left.get(name, (0, now))
        if left < many or until <= now:
            return False
        self._left[name] = (left - many, until)
        return True
