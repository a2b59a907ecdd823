"""Log lines that hold no secret, and the counters: what a running service tells about itself."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from structlog.typing import Processor

MASK = "***"
_SECRET_NAME = re.compile(
    r"token|secret|authori[sz]ation|password|key|cookie|credential|signature|assertion",
    re.IGNORECASE,
)
_MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|token|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\bwhsec_[\w+/=-]+"), f"whsec_{MASK}"),
    (re.compile(r"\b(mbk|mbo)_[\w-]{6,}"), rf"\1_{MASK}"),
    (re.compile(r"\b(ya29\.|1//|M\.[CR]\d+_|eyJ)[\w.-]{10,}"), rf"\1{MASK}"),
    (re.compile(r"(://[^\s/:@]*):[^\s@]+@"), rf"\1:{MASK}@"),
    (
        re.compile(
            r"(?i)([?&;](?:code|state|\w*token|\w*secret|assertion|password|pwd|\w*key)=)[^&\s\"']+"
        ),
        rf"\1{MASK}",
    ),
)
_DEEPEST = 6
_TALKATIVE = ("arq", "httpx", "httpcore", "urllib3", "msal", "google", "hvac", "asyncio", "alembic")

SYNC_ROUNDS = Counter(
    "meetbot_sync_rounds_total", "Calendars brought up to date.", ["provider", "kind", "outcome"]
)
SYNC_GAP = Histogram(
    "meetbot_sync_gap_seconds",
    "How long a calendar had not been read when it was read again.",
    ["provider"],
    buckets=(5, 30, 120, 240, 305, 330, 360, 600, 900, 1800, 3600, 21600),
)
WATCHES = Counter(
    "meetbot_watches_total", "How looking after push subscriptions went.", ["outcome"]
)
PROVIDER_ERRORS = Counter(
    "meetbot_provider_errors_total", "Refusals of providers.", ["provider", "error"]
)
BOTS_DISPATCHED = Counter("meetbot_bots_dispatched_total", "Bots asked of a fleet.", ["outcome"])
BOT_LATENESS = Histogram(
    "meetbot_bot_lateness_seconds",
    "How long after its moment a bot was asked of the fleet.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
DELIVERIES = Counter("meetbot_deliveries_total", "Attempts to deliver a message.", ["outcome"])
WAKEUPS_LOST = Counter("meetbot_wakeups_lost_total", "Due rows that no ring led to.", ["kind"])
DECISIONS = Counter("meetbot_decisions_total", "Decisions that changed.", ["action", "reason"])
NIGHTLY_ROUNDS = Counter("meetbot_nightly_rounds_total", "Nightly rounds made.", ["round"])
SERIES_FOLLOWED = Counter(
    "meetbot_series_followed_total", "Looks at series whose bots follow one another.", ["outcome"]
)
JOURNEYS_CRASHED = Counter(
    "meetbot_journeys_crashed_total", "Journeys that met what nobody foresaw.", ["task"]
)
PURGED = Counter("meetbot_purged_rows_total", "Rows that retention deleted.", ["kind"])
KEY_SERVICE = Histogram(
    "meetbot_key_service_seconds",
    "How long the key service took, and how it went.",
    ["operation", "outcome"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
KEYS_MISSED = Counter(
    "meetbot_keys_missed_total", "Work that waits since no key could be had.", ["task"]
)
KEYS_HELD = Gauge(
    "meetbot_ciphers_held", "Tenants' ciphers in memory.", multiprocess_mode="livesum"
)
RULE_ERRORS = Counter("meetbot_rule_errors_total", "Rules that failed on an event.", ["error"])


def configure_logging(
    form: Literal["json", "console"], level: Literal["debug", "info", "warning", "error"]
) -> None:
    """Send our lines and the libraries' through one chain, to the error stream."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Processor = structlog.processors.JSONRenderer()
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _route_libraries(shared, renderer, level)


def _route_libraries(shared: list[Processor], renderer: Processor, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        # Their information lines quote whole addresses and bodies.
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def redact(
    _logger: object, _method: str, line: MutableMapping[str, object]
) -> Mapping[str, object]:
    """Mask what is secret by its name, and what looks secret anywhere else."""
    return {name: _masked(name, value, 0) for name, value in line.items()}


def _masked(name: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    return MASK if _SECRET_NAME.search(name) else _searched(value, depth)


def _searched(value: object, depth: int) -> object:
    """Look for secrets inside a value whose own name gives no reason to mask it."""
    match value:
        case int() | float():
            return value
        case bytes():
            return f"{len(value)} bytes"
        case Mapping() if depth < _DEEPEST:
            return {str(k): _masked(str(k), v, depth + 1) for k, v in value.items()}
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [_masked("", item, depth + 1) for item in value]
        case _:
            return scrub(str(value))


def scrub(text: str) -> str:
    """Mask what looks secret inside text: bearers, keys, passwords in addresses, OAuth answers."""
    for pattern, replacement in _MARKS:
        text = pattern.sub(replacement, text)
    return text


def metrics_text() -> bytes:
    """Return the counters as Prometheus reads them.

    Where ``PROMETHEUS_MULTIPROC_DIR`` is set, as ``up`` does, those of all processes together.
    """
    together = CollectorRegistry()
    try:
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    except ValueError:
        return generate_latest()
    return generate_latest(together)
