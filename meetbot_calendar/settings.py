"""The only reader of the environment: every setting, its default and its sentence, checked."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, get_args, get_origin, get_type_hints
from urllib.parse import SplitResult, urlsplit

import msgspec

from meetbot_calendar.dotenv import Fault, dotenv


class Secret:
    """Text that shows itself as ``***`` everywhere but in ``reveal()``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class SettingsInvalid(Exception):
    """The settings cannot be used; holds every fault, not the first alone."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(f"{f.name}: {f.problem}; {f.remedy}" for f in faults))


def _store(kind: str, *schemes: str) -> Callable[[str], object]:
    def read(raw: str) -> Secret:
        scheme, mark, rest = raw.partition("://")
        scheme = scheme.removesuffix("+psycopg")
        if scheme not in schemes or not mark or not rest:
            # The address may hold a password, so it is not repeated.
            problem = f"it is not the address of a {kind} server"
            raise ValueError(problem, f"give one that begins with {schemes[0]}://")
        if scheme != "unix":
            _split(raw)
        return Secret(f"{schemes[0]}://{rest}" if scheme.startswith("postgres") else raw)

    return read


def _split(raw: str) -> SplitResult:
    """Split an address, its port checked too."""
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError as error:
        problem = "its host or port cannot be read"
        raise ValueError(problem, "give an address such as https://example.com:8443") from error
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _web(raw: str) -> str:
    parts = _split(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not a web address", "give one such as https://example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("it holds a user, a query or a fragment", "leave those out")
    return raw.rstrip("/")


def _guarded_web(raw: str) -> str:
    address = _web(raw)
    host = urlsplit(address).hostname or ""
    if address.startswith("http:") and not _is_loopback(host):
        problem = f"it is plain http to {host}, another machine"
        raise ValueError(problem, "give an https address; plain http is for loopback hosts alone")
    return address


def _instant(raw: str) -> datetime:
    try:
        at: datetime = msgspec.convert(raw, Annotated[datetime, msgspec.Meta(tz=True)])
    except msgspec.ValidationError as error:
        remedy = "give one with its zone, such as 2026-11-20T09:00:00Z"
        raise ValueError(f"{raw!r} is not an ISO 8601 instant", remedy) from error
    return at.astimezone(UTC)


def _networks(raw: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(one.strip())) for one in raw.split(","))
    except ValueError as error:
        remedy = "give addresses or networks with commas between, such as 10.0.0.0/8,::1"
        raise ValueError(f"{raw!r} names no networks", remedy) from error


def _region(raw: str) -> str:
    if raw not in {"eu", "us"}:
        raise ValueError(f"{raw!r} is no region", "give eu or us, or leave it unset for both")
    return raw


_Hidden = Annotated[Secret | None, Secret]
_Text = Annotated[str | None, str]
_Outside = Annotated[str, _guarded_web]
_Postgres = Annotated[Secret | None, _store("PostgreSQL", "postgresql", "postgres")]
_Redis = Annotated[Secret | None, _store("Redis", "redis", "rediss", "unix")]
_Days = Annotated[int, msgspec.Meta(ge=0, le=366)]
_Kept = Annotated[int, msgspec.Meta(ge=1, le=3650)]
_Speed = Annotated[float, msgspec.Meta(ge=0.1, le=30)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
_Interval = Annotated[float, msgspec.Meta(ge=0.05, le=86400)]
_Rate = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Fleet = Literal["meetbot", "recall", "attendee", "meetstream", "meetingbaas", "vexa"]
FLEETS: tuple[str, ...] = get_args(_Fleet)
_Level = Literal["debug", "info", "warning", "error"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set from outside; the last word of each annotation explains it."""

    database_url: Annotated[_Postgres, "PostgreSQL 15 or newer; unset: our own server."] = None
    owner_database_url: Annotated[_Postgres, "The same as its owner, for migrations."] = None
    redis_url: Annotated[_Redis, "Redis or Valkey; unset: our own server."] = None
    data_dir: Annotated[Path, Path, "Where our own servers, keys and logs are."] = Path(".meetbot")
    host: Annotated[str, str, "The address to listen on."] = "127.0.0.1"
    port: Annotated[_Port, "The port to listen on."] = 8000
    public_url: Annotated[
        str, _web, "How browsers, providers and fleets reach us; unset: the host and port."
    ] = "http://127.0.0.1:8000"
    operator_key: Annotated[
        _Hidden, "The operator's key; unset: made on first start, kept in the data directory."
    ] = None
    key_provider: Annotated[
        Literal["local", "vault"], "What guards tenants' keys: a master key file, or Vault."
    ] = "local"
    vault_addr: Annotated[str | None, _web, "Where Vault or OpenBao is."] = None
    vault_token: Annotated[_Hidden, "A Vault token; or else give a role."] = None
    vault_role_id: Annotated[_Text, "The AppRole to log in to Vault with."] = None
    vault_secret_id: Annotated[_Hidden, "That AppRole's secret."] = None
    vault_namespace: Annotated[_Text, "The Vault namespace, where there is one."] = None
    vault_mount: Annotated[str, str, "The mount of Vault's transit engine."] = "transit"
    region: Annotated[
        str | None, _region, "Where this installation is, eu or us: other tenants are refused."
    ] = None
    retention_days: Annotated[
        _Kept, "How many days things are kept for a tenant that does not say so itself."
    ] = 365
    rate_limit: Annotated[
        _Rate, "Requests a second that a tenant may make, ten seconds' worth at once; 0: any."
    ] = 100
    wrong_key_limit: Annotated[
        _Rate, "Wrong API keys that an address may try within ten minutes; 0: any."
    ] = 100
    trusted_proxies: Annotated[
        tuple[str, ...], _networks, "Proxies whose X-Forwarded-For is believed, as networks."
    ] = ()
    google_quota: Annotated[
        _Rate,
        "Requests a minute that a Google project may make, of which polls leave a fifth; 0: any.",
    ] = 10_000
    google_client_id: Annotated[_Text, "Our app at Google; a tenant's own comes first."] = None
    google_client_secret: Annotated[_Hidden, "That app's secret."] = None
    microsoft_client_id: Annotated[_Text, "Our app at Microsoft; a tenant's own first."] = None
    microsoft_client_secret: Annotated[_Hidden, "That app's secret."] = None
    google_auth_url: Annotated[_Outside, "Google's consent page."] = (
        "https://accounts.google.com/o/oauth2/v2/auth"
    )
    google_token_url: Annotated[_Outside, "Google's token endpoint."] = (
        "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    )
    google_revoke_url: Annotated[_Outside, "Where Google takes a grant back."] = (
        "https://oauth2.googleapis.com/revoke"
    )
    google_userinfo_url: Annotated[_Outside, "Where Google says who has consented."] = (
        "https://openidconnect.googleapis.com/v1/userinfo"
    )
    google_api_url: Annotated[_Outside, "What stands before /calendars/ and /users/me/."] = (
        "https://www.googleapis.com/calendar/v3"
    )
    microsoft_authority: Annotated[_Outside, "Microsoft's login, with its directory."] = (
        "https://login.microsoftonline.com/common"
    )
    graph_url: Annotated[_Outside, "Microsoft Graph."] = "https://graph.microsoft.com/v1.0"
    fleet: Annotated[_Fleet, "Whose API sends the bots; see docs/fleets.md."] = "meetbot"
    fleet_url: Annotated[
        str | None, _guarded_web, "Where the fleet is; unset: its vendor's address."
    ] = None
    fleet_api_key: Annotated[_Hidden, "Our key at the fleet."] = None
    fleet_callback_secret: Annotated[_Hidden, "What the fleet signs its reports with."] = None
    poll_interval: Annotated[_Interval, "Seconds between two polls of a connection."] = 300.0
    join_lead: Annotated[_Seconds, "Seconds before its start at which a bot joins."] = 90.0
    sync_past_days: Annotated[_Days, "How many days back events are read."] = 1
    sync_future_days: Annotated[_Days, "How many days ahead events are read."] = 28
    allow_private_webhooks: Annotated[bool, "1: webhooks may go to http and private hosts."] = False
    clock_speed: Annotated[_Speed, "How fast our clock runs; for rehearsals alone."] = 1.0
    clock_origin: Annotated[datetime, _instant, "From when a fast clock runs."] = datetime(
        2026, 1, 1, tzinfo=UTC
    )
    log_format: Annotated[Literal["json", "console"], "How log lines look."] = "json"
    log_level: Annotated[_Level, "The least that is logged."] = "info"

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Self:
        """Read the environment, and below it the ``.env`` file of ``cwd``; empty means unset."""
        folder = (cwd or Path.cwd()).absolute()
        faults: list[Fault] = []
        outside = child_environment({}) if environ is None else environ
        given = {**dotenv(folder / ".env", faults), **outside}
        values: dict[str, object] = {"data_dir": folder / ".meetbot"}
        for field, name, hint, _sentence in table():
            if raw := given.get(name, "").strip():
                try:
                    values[field] = _read(raw, hint)
                except ValueError as error:
                    problem, remedy = error.args
                    faults.append(Fault(name=name, problem=problem, remedy=remedy))
        faults += _missing_together(values)
        if faults:
            raise SettingsInvalid(tuple(faults))
        values["data_dir"] = folder / Path(str(values["data_dir"])).expanduser()
        values.setdefault("public_url", _own_address(values))
        return msgspec.convert(values, cls)


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return our own environment with changes, for a process that we start."""
    return {**os.environ, **changes}  # noqa: TID251 - the one place


def table() -> Iterator[tuple[str, str, object, str]]:
    """Yield each field with its name in the environment, its type and its sentence."""
    for field, hint in get_type_hints(Settings, include_extras=True).items():
        prefix = "" if field.startswith("vault_") and field != "vault_mount" else "MEETBOT_"
        yield field, prefix + field.upper(), hint, str(get_args(hint)[-1])


def _read(raw: str, hint: object) -> object:
    """Read text as a type: by the reader in its annotation, or else by what msgspec knows."""
    for extra in get_args(hint)[1:]:
        if callable(extra):
            return extra(raw)
    try:
        return msgspec.convert(raw, hint, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"{raw!r} does not fit", _wanted(hint)) from error


def _wanted(hint: object) -> str:
    kind, *extras = get_args(hint)
    if get_origin(kind) is Literal:
        return "give one of " + ", ".join(get_args(kind))
    if kind is bool:
        return "give 1 or 0"
    limits = next(extra for extra in extras if isinstance(extra, msgspec.Meta))
    whole = "whole " if kind is int else ""
    return f"give a {whole}number from {limits.ge} to {limits.le}"


def _missing_together(values: Mapping[str, object]) -> Iterator[Fault]:
    """Find settings that need one another."""
    if values.get("key_provider") != "vault":
        return
    problem = "it is needed, since MEETBOT_KEY_PROVIDER is vault"
    if "vault_addr" not in values:
        yield Fault(name="VAULT_ADDR", problem=problem, remedy="give Vault's address")
    if "vault_token" not in values and not {"vault_role_id", "vault_secret_id"} <= values.keys():
        remedy = "give it, or VAULT_ROLE_ID and VAULT_SECRET_ID"
        yield Fault(name="VAULT_TOKEN", problem=problem, remedy=remedy)


def _own_address(values: Mapping[str, object]) -> str:
    host = str(values.get("host", "127.0.0.1"))
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared
    return f"http://{reachable}:{values.get('port', 8000)}"
