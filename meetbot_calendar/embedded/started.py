"""A program that we started: is it alive, ask it to end, insist."""

import signal
import subprocess
from contextlib import suppress
from typing import Protocol


class Started:
    """One running program, and the signals by which it ends gently and at once."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        *,
        gentle: signal.Signals = signal.SIGTERM,
        harsh: signal.Signals = signal.SIGKILL,
    ) -> None:
        self._process = process
        self._gentle = gentle
        self._harsh = harsh

    @property
    def pid(self) -> int:
        """The process id; the program keeps it, for it took the starter's place."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it lives; below zero, the signal that ended it."""
        return self._process.poll()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def how_it_ended(self) -> str:
        """How it ended, in words."""
        match self.exit_code:
            case None:
                return "still runs"
            case code if code < 0:
                return f"was ended by {signal.Signals(-code).name}"
            case code:
                return f"ended with code {code}"

    def ask_to_end(self) -> None:
        """Let it finish what it does."""
        self._send(self._gentle)

    def insist(self) -> None:
        """End it at once."""
        self._send(self._harsh)

    def ended_within(self, seconds: float) -> bool:
        """Wait at most so long; say whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.is_alive

    def _send(self, wish: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(wish)


class Part(Protocol):
    """Something that is started, watched, and started again when it dies."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    def launch(self) -> Started:
        """Start it; it need not be ready yet."""
        ...

    def is_ready(self, started: Started) -> bool:
        """Say whether it does its work now. Quick, and never raises."""
        ...

    def why_it_ended(self, started: Started) -> str:
        """Say in a few words what it said last."""
        ...
