"""How much somebody may do within a time, and what is left of it."""

from datetime import timedelta

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """``quota`` at once, and as many again within each ``window``, evenly."""

    name: str
    quota: int
    window: timedelta


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What is left. ``wait``: until one more is free where none is, else until all are."""

    rate: Rate
    is_open: bool
    left: int
    wait: timedelta
