"""Page and sync tokens: opaque to callers, bound to what they were issued for."""

import base64
import binascii

import msgspec


class SyncToken(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where a listing of ``resource`` ended: everything up to change ``change`` is known.

    ``access`` and ``epoch`` are the reader's role and the calendar's history at that time.
    """

    resource: str
    account: str
    change: int
    access: int
    epoch: int
    signature: str


class PageToken(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where the next page begins: after ``key``; ``change`` is what the first page promised."""

    resource: str
    change: int
    signature: str
    key: list[str | int] | None


def written(token: SyncToken | PageToken) -> str:
    """Return the token's text."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode()


def read_sync(text: str) -> SyncToken | None:
    """Read a sync token; None when it is none of ours."""
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(text), type=SyncToken)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None


def read_page(text: str) -> PageToken | None:
    """Read a page token; None when it is none of ours."""
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(text), type=PageToken)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None
