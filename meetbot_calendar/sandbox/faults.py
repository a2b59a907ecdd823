"""Trouble on order: which far end misbehaves next, how, and how many times."""

from typing import Any

import msgspec

ALWAYS = -1


class Fault(msgspec.Struct, kw_only=True):
    """One kind of trouble at one target; ``times`` counts down, ``ALWAYS`` never does.

    Targets are dotted (``google.token``, ``google.events``, ``google.calendars``, ``google.watch``,
    ``google.push``, ``microsoft.token``, ...); a fault on ``google`` hits every target beneath it.
    ``account`` limits it to one person's calls. ``detail`` is for the kind: ``seconds`` for slow.
    """

    target: str
    kind: str
    times: int = 1
    account: str = ""
    detail: dict[str, Any] = {}


class Faults:
    """The standing orders for trouble, oldest first."""

    def __init__(self, standing: list[Fault]) -> None:
        self.standing = standing

    def add(
        self, target: str, kind: str, times: int = 1, account: str = "", **detail: object
    ) -> Fault:
        """Order trouble: the next ``times`` calls that reach ``target`` meet ``kind``."""
        fault = Fault(target=target, kind=kind, times=times, account=account, detail=detail)
        self.standing.append(fault)
        return fault

    def take(self, target: str, *kinds: str, account: str = "") -> Fault | None:
        """Return and use up the first fault here that is of one of ``kinds`` (none: of any)."""
        for fault in self.standing:
            if _reaches(fault, target, account) and (not kinds or fault.kind in kinds):
                self._use_up(fault)
                return fault
        return None

    def clear(self, target: str = "") -> None:
        """Call off the trouble at ``target`` and beneath it; everywhere when none is named."""
        kept = [f for f in self.standing if target and not _beneath(f.target, target)]
        self.standing[:] = kept

    def _use_up(self, fault: Fault) -> None:
        if fault.times == ALWAYS:
            return
        fault.times -= 1
        if fault.times < 1:
            self.standing.remove(fault)


def _reaches(fault: Fault, target: str, account: str) -> bool:
    return _beneath(target, fault.target) and fault.account in ("", account)


def _beneath(target: str, stem: str) -> bool:
    return target == stem or target.startswith(stem + ".")
