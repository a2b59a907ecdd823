"""The account of a soak: bots lost, sent twice or out of time and why, and webhooks lost."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from rich.table import Table

Json = dict[str, Any]
ON_TIME = timedelta(milliseconds=250)
AFTERMATH = {  # for how long a trouble may make bots late
    "fleet.bots": timedelta(seconds=15),
    "PostgreSQL restarted": timedelta(seconds=6),
    "worker killed": timedelta(seconds=8),  # a calendar that was being read is read anew after 6 s
    "Valkey": timedelta(seconds=3),
    "fleet.reports": timedelta(0),
    "customer.webhooks": timedelta(0),
}
FINAL = ("completed", "failed", "cancelled", "missed")


class Held(msgspec.Struct, kw_only=True):
    """One meeting as it stands; ``changed_at`` is when it was last edited."""

    id: str
    link: str
    start: datetime
    changed_at: datetime
    cancelled: bool = False


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and from when to when."""

    what: str
    begun: datetime
    ended: datetime


class Ledger(msgspec.Struct, kw_only=True):
    """All that was done and seen."""

    meetings: list[Held] = []
    spells: list[Spell] = []
    received: list[Json] = []
    read_to: int = 0
    fleet: Json = {}
    product: dict[str, list[Json]] = {}


def account(ledger: Ledger) -> Table:
    """Write the account as a table."""
    table = Table("account", "", "which")
    sent = _sent(ledger)
    lost = [h.link for h in ledger.meetings if not h.cancelled and not sent[h.link]]
    _row(table, "bots lost", lost)
    staying = {link: [b for b in bots if not b["recalled_at"]] for link, bots in sent.items()}
    _row(table, "meetings with two bots", [link for link, bots in staying.items() if len(bots) > 1])
    keys = Counter(bot["key"] for bot in ledger.fleet["bots"])
    _row(table, "orders taken twice by the fleet", [key for key, n in keys.items() if n > 1])
    cancelled = {held.link for held in ledger.meetings if held.cancelled}
    _row(table, "bots at cancelled meetings", [x for x in cancelled if staying.get(x)])
    for name in sorted({each["inbox"] for each in ledger.received}):
        untold = _untold(ledger, name)
        coming = {row["message_id"] for row in ledger.product["pending"]}
        _row(table, f"webhooks lost, {name}", [each for each in untold if each not in coming])
        _row(table, f"webhooks to be retried, {name}", [each for each in untold if each in coming])
    _row(table, "webhooks not genuine", [m["id"] for m in ledger.received if not m["verified"]])
    _row(table, "bots that the log tells otherwise", _rebuilt_otherwise(ledger))
    unended = [b["id"] for b in ledger.product["bots"] if b["status"] not in FINAL]
    _row(table, "bots without an end", unended)
    for reason, late in sorted(_late(ledger).items()):
        _row(table, f"out of time: {reason}", late)
    table.add_section()
    for what, number in _seen(ledger, sent).items():
        table.add_row(what, f"{number:,}", "")
    for what, times in sorted(Counter(spell.what for spell in ledger.spells).items()):
        table.add_row(f"done: {what}", str(times), "")
    return table


def _row(table: Table, what: str, found: Sequence[str]) -> None:
    table.add_row(what, str(len(found)), ", ".join(sorted(found)[:3]))


def _sent(ledger: Ledger) -> dict[str, list[Json]]:
    sent: dict[str, list[Json]] = defaultdict(list)
    for bot in ledger.fleet["bots"]:
        sent[bot["body"]["meeting_url"]].append(bot)
    return sent


def _untold(ledger: Ledger, name: str) -> list[str]:
    heard = {m["id"] for m in ledger.received if m["inbox"] == name and m["answered"] == 200}
    return [message["id"] for message in ledger.product["messages"] if message["id"] not in heard]


def _rebuilt_otherwise(ledger: Ledger) -> list[str]:
    """Follow the log of messages from its beginning, and compare with what the API says of bots."""
    rebuilt: dict[str, str] = {}
    for message in ledger.product["messages"]:
        if message["type"].startswith("bot."):
            rebuilt[message["data"]["bot_id"]] = message["data"]["status"]
    stands = {bot["id"]: bot["status"] for bot in ledger.product["bots"]}
    return [bot_id for bot_id in rebuilt | stands if rebuilt.get(bot_id) != stands.get(bot_id)]


def _late(ledger: Ledger) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for bot in ledger.fleet["bots"]:
        due, came = _instant(bot["body"]["join_at"]), _instant(bot["received_at"])
        if _lateness(bot) > ON_TIME:
            seconds = _lateness(bot).total_seconds()
            found[_why(ledger.spells, due, came)].append(f"{bot['key']} {seconds:.2f} s")
        elif came < due - timedelta(milliseconds=5):
            found["too early"].append(bot["key"])
    return found


def _lateness(bot: Json) -> timedelta:
    return _instant(bot["received_at"]) - _instant(bot["body"]["join_at"])


def _why(spells: Sequence[Spell], due: datetime, came: datetime) -> str:
    """Name the gravest trouble that was about between a bot's instant and its leaving."""
    for what, lasts in AFTERMATH.items():
        for spell in spells:
            about = spell.begun - timedelta(seconds=1) <= came and spell.ended + lasts >= due
            if spell.what.startswith(what) and lasts and about:
                return what
    return "no reason found"


def _seen(ledger: Ledger, sent: dict[str, list[Json]]) -> dict[str, int]:
    return {
        "meetings held": len(ledger.meetings),
        "of these cancelled": sum(held.cancelled for held in ledger.meetings),
        "bots sent": sum(map(len, sent.values())),
        "of these within 250 ms of their instant": sum(
            _lateness(bot) <= ON_TIME for bots in sent.values() for bot in bots
        ),
        "orders asked about again": sum(bot["repeats"] for bot in ledger.fleet["bots"]),
        "orders refused by the fleet": len(ledger.fleet["refused"]),
        "messages": len(ledger.product["messages"]),
        "posts to customers": len(ledger.received),
    }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
