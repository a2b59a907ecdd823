"""Names that both providers give a meeting: Google's iCalUID and Exchange's GlobalObjectId."""

import secrets
from datetime import date, datetime

_CLASS_ID = "040000008200E00074C5B7101A82E008"
_NO_DATE = "00000000"
_SHORTEST = 80
_VCAL = b"vCal-Uid\x01\x00\x00\x00"
_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"


def new_google_id() -> str:
    """Make an event id as Google does: 26 characters of base32hex."""
    return "".join(secrets.choice(_BASE32HEX) for _ in range(26))


def google_uid(event_id: str) -> str:
    """Return the iCalUID of an event that Google organises."""
    return f"{event_id}@google.com"


def new_global_object_id(now: datetime) -> str:
    """Make a GlobalObjectId (MS-OXOCAL 2.2.1.27) without an instance date, in capital hex."""
    ticks = int((now.timestamp() + 11_644_473_600) * 10_000_000)
    created = ticks.to_bytes(8, "little").hex().upper()
    return _global_object_id(_NO_DATE, created, secrets.token_bytes(16))


def is_global_object_id(uid: str) -> bool:
    """Tell whether a uid is an Exchange GlobalObjectId in hex."""
    return uid.upper().startswith(_CLASS_ID) and len(uid) >= _SHORTEST


def for_instance(global_object_id: str, day: date) -> str:
    """Put the instance date into a GlobalObjectId, as each occurrence has its own iCalUId."""
    stamp = f"{day.year:04X}{day.month:02X}{day.day:02X}"
    return global_object_id[:32] + stamp + global_object_id[40:]


def wrapped(foreign_uid: str) -> str:
    """Wrap a uid made outside Exchange: a GlobalObjectId whose data is ``vCal-Uid`` and the uid."""
    data = _VCAL + foreign_uid.encode() + b"\x00"
    return _global_object_id(_NO_DATE, "0" * 16, data)


def _global_object_id(stamp: str, created: str, data: bytes) -> str:
    length = len(data).to_bytes(4, "little").hex().upper()
    return f"{_CLASS_ID}{stamp}{created}{'0' * 16}{length}{data.hex().upper()}"
