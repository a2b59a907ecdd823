"""What keeps a server from starting: its cause and its remedy, for a person to read."""


class ServerTrouble(Exception):
    """A server of ours, or a given one, cannot be used; says why and what to do."""

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause = cause
        self.remedy = remedy
        super().__init__(f"{cause}; {remedy}")
