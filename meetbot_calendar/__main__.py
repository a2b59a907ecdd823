"""The command line: finds the command, reads the settings, turns trouble into a sentence."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from importlib import import_module
from pathlib import Path

from meetbot_calendar.embedded.trouble import CannotStart, in_words
from meetbot_calendar.settings import Settings, SettingsInvalid
from meetbot_calendar.telemetry import configure_logging

# Each module has ``arguments(parser)`` and ``main(settings, given) -> exit code``. It is imported
# when it is asked for: one command does not wait for the libraries of another.
COMMANDS = {
    "up": ("meetbot_calendar.commands.up", "everything on one machine; --demo to try it"),
    "api": ("meetbot_calendar.commands.api", "answer HTTP requests"),
    "worker": ("meetbot_calendar.commands.worker", "do what is due"),
    "migrate": ("meetbot_calendar.commands.migrate", "bring the database to this version"),
    "tenants": ("meetbot_calendar.commands.tenants", "make a tenant with its first API key"),
    "keys": ("meetbot_calendar.commands.keys", "make an API key; rotate data keys"),
    "oauth-helper": (
        "meetbot_calendar.commands.oauth_helper",
        "run a consent here, print its refresh token",
    ),
    "sandbox": ("meetbot_calendar.commands.sandbox", "simulated providers, fleet and customer"),
    "doctor": ("meetbot_calendar.commands.doctor", "check every dependency, say what to do"),
}
_CANNOT = 2


def main() -> None:
    """Run the command that was typed, and exit with its code."""
    sys.exit(_run(sys.argv[1:]))


def _run(words: list[str]) -> int:
    name = words[0] if words else "--help"
    if name not in COMMANDS:
        return _explain(name)
    module = import_module(COMMANDS[name][0])
    parser = ArgumentParser(prog=f"meetbot-calendar {name}", description=module.__doc__)
    module.arguments(parser)
    given = parser.parse_args(words[1:])
    try:
        with in_words(Path.cwd()):
            settings = Settings.load()
            configure_logging(settings.log_format, settings.log_level)
            return int(module.main(settings, given))
    except SettingsInvalid as error:
        lines = [f"{f.name}: {f.problem}\n    what to do: {f.remedy}" for f in error.faults]
        return _fail("The settings cannot be used.", *lines)
    except CannotStart as error:
        return _fail(f"{error.cause}", f"    what to do: {error.remedy}")
    except KeyboardInterrupt:
        return 130


def _explain(name: str) -> int:
    listing = "\n".join(f"  {command:12} {what}" for command, (_, what) in COMMANDS.items())
    parser = ArgumentParser(
        prog="meetbot-calendar",
        description="Calendar in, bots out.",
        epilog=f"commands:\n{listing}\n\nEach explains itself with --help.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=[*COMMANDS], metavar="command")
    parser.parse_args([name])
    return _CANNOT


def _fail(*lines: str) -> int:
    sys.stderr.write("meetbot-calendar: " + "\n".join(lines) + "\n")
    return _CANNOT


if __name__ == "__main__":
    main()
