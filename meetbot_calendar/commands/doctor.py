"""``doctor``: check every dependency, and say what to do."""

from argparse import ArgumentParser, Namespace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from meetbot_calendar.clock import SystemClock
from meetbot_calendar.commands import checks, checks_far, checks_fleet
from meetbot_calendar.commands.checks import Finding
from meetbot_calendar.settings import Settings

_COLOURS = {"ok": "green", "warning": "yellow", "broken": "red"}


def arguments(parser: ArgumentParser) -> None:
    """Declare none."""
    _ = parser


def main(settings: Settings, given: Namespace) -> int:
    """Print the findings; fail when something is broken."""
    _ = given
    findings = examine(settings)
    Console().print(_table(findings))
    return int(any(finding.state == "broken" for finding in findings))


def examine(settings: Settings) -> list[Finding]:
    """Check everything, near things first."""
    return [
        checks.python(),
        checks.settings_names(),
        checks.data_directory(settings),
        checks.database(settings),
        checks.redis(settings),
        checks_far.vault(settings)
        if settings.key_provider == "vault"
        else checks.key_provider(settings),
        checks.port(settings),
        *checks_far.far_ends(settings, SystemClock()),
        *checks_fleet.fleet(settings, SystemClock()),
    ]


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None)
    for heading in ("what", "state", "found", "what to do"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        state = f"[{_COLOURS[finding.state]}]{finding.state}[/]"
        table.add_row(finding.name, state, escape(finding.detail), escape(finding.remedy))
    return table
