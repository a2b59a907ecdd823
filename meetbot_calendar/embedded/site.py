"""Where one server of ours works, as whom, and how it is reached."""

from pathlib import Path

import msgspec

from meetbot_calendar.embedded.account import Account
from meetbot_calendar.embedded.state import ServerState


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One server's place; ``durable=False`` trades crash safety for speed, in tests alone."""

    folder: Path
    account: Account
    state: ServerState
    durable: bool
