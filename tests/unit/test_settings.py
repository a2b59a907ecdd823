from datetime import UTC, datetime
from pathlib import Path

import pytest

from meetbot_calendar.commands.settings_table import describe, unknown_names
from meetbot_calendar.settings import Fault, Secret, Settings, SettingsInvalid, table


def faults_of(environ: dict[str, str], cwd: Path) -> dict[str, tuple[str, str]]:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.load(environ, cwd)
    return {fault.name: (fault.problem, fault.remedy) for fault in caught.value.faults}


def test_nothing_set_gives_every_default(tmp_path: Path) -> None:
    settings = Settings.load({}, tmp_path)

    assert settings == Settings(data_dir=tmp_path / ".meetbot")


def test_each_kind_of_value_is_read(tmp_path: Path) -> None:
    environ = {
        "MEETBOT_DATABASE_URL": "postgres://me:pw@db:5432/x",
        "MEETBOT_REDIS_URL": "redis://:pw@cache/0",
        "MEETBOT_DATA_DIR": "some where",
        "MEETBOT_PORT": "9000",
        "MEETBOT_PUBLIC_URL": "https://meetbot.example/",
        "MEETBOT_KEY_PROVIDER": "vault",
        "VAULT_ADDR": "http://vault:8200",
        "VAULT_TOKEN": "s.token",
        "MEETBOT_POLL_INTERVAL": "0.5",
        "MEETBOT_ALLOW_PRIVATE_WEBHOOKS": "1",
        "MEETBOT_CLOCK_ORIGIN": "2026-11-20T10:00:00+01:00",
        "MEETBOT_GRAPH_URL": "http://127.0.0.1:9/v1.0",
    }

    settings = Settings.load(environ, tmp_path)

    assert settings == Settings(
        database_url=Secret("postgresql://me:pw@db:5432/x"),
        redis_url=Secret("redis://:pw@cache/0"),
        data_dir=tmp_path / "some where",
        port=9000,
        public_url="https://meetbot.example",
        key_provider="vault",
        vault_addr="http://vault:8200",
        vault_token=Secret("s.token"),
        poll_interval=0.5,
        allow_private_webhooks=True,
        clock_origin=datetime(2026, 11, 20, 9, tzinfo=UTC),
        graph_url="http://127.0.0.1:9/v1.0",
    )


def test_the_public_address_follows_host_and_port(tmp_path: Path) -> None:
    settings = Settings.load({"MEETBOT_HOST": "0.0.0.0", "MEETBOT_PORT": "81"}, tmp_path)  # noqa: S104 - as an operator sets it

    assert settings.public_url == "http://127.0.0.1:81"


def test_all_faults_are_told_at_once_each_with_its_remedy(tmp_path: Path) -> None:
    environ = {
        "MEETBOT_PORT": "70000",
        "MEETBOT_POLL_INTERVAL": "often",
        "MEETBOT_FLEET": "zoom",
        "MEETBOT_ALLOW_PRIVATE_WEBHOOKS": "maybe",
        "MEETBOT_GRAPH_URL": "http://graph.example/v1.0",
        "MEETBOT_CLOCK_ORIGIN": "2026-11-20T10:00:00",
        "MEETBOT_KEY_PROVIDER": "vault",
        "VAULT_ROLE_ID": "role",
    }

    faults = faults_of(environ, tmp_path)

    assert faults == {
        "MEETBOT_PORT": ("'70000' does not fit", "give a whole number from 1 to 65535"),
        "MEETBOT_POLL_INTERVAL": ("'often' does not fit", "give a number from 0.05 to 86400"),
        "MEETBOT_FLEET": (
            "'zoom' does not fit",
            "give one of meetbot, recall, attendee, meetstream, meetingbaas, vexa",
        ),
        "MEETBOT_ALLOW_PRIVATE_WEBHOOKS": ("'maybe' does not fit", "give 1 or 0"),
        "MEETBOT_GRAPH_URL": (
            "it is plain http to graph.example, another machine",
            "give an https address; plain http is for loopback hosts alone",
        ),
        "MEETBOT_CLOCK_ORIGIN": (
            "'2026-11-20T10:00:00' is not an ISO 8601 instant",
            "give one with its zone, such as 2026-11-20T09:00:00Z",
        ),
        "VAULT_ADDR": (
            "it is needed, since MEETBOT_KEY_PROVIDER is vault",
            "give Vault's address",
        ),
        "VAULT_TOKEN": (
            "it is needed, since MEETBOT_KEY_PROVIDER is vault",
            "give it, or VAULT_ROLE_ID and VAULT_SECRET_ID",
        ),
    }


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "1e9", "0x10", "8 000"])
def test_a_number_out_of_bounds_is_refused(number: str, tmp_path: Path) -> None:
    assert set(faults_of({"MEETBOT_JOIN_LEAD": number}, tmp_path)) == {"MEETBOT_JOIN_LEAD"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEETBOT_DATABASE_URL", "mysql://me:hunter2@db/x"),
        ("MEETBOT_DATABASE_URL", "postgresql://me:hunter2@db:port/x"),
        ("MEETBOT_REDIS_URL", "http://:hunter2@cache"),
        ("MEETBOT_GOOGLE_TOKEN_URL", "https://me:hunter2@google.example/token"),
        ("MEETBOT_FLEET_URL", "https://[hunter2"),
        ("MEETBOT_MICROSOFT_AUTHORITY", "https://"),
        ("MEETBOT_PUBLIC_URL", "https://x.example/?password=hunter2"),
    ],
)
def test_a_bad_address_is_refused_without_repeating_its_password(
    name: str, value: str, tmp_path: Path
) -> None:
    faults = faults_of({name: value}, tmp_path)

    assert set(faults) == {name}
    assert "hunter2" not in repr(faults)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_plain_http_is_taken_on_loopback(host: str, tmp_path: Path) -> None:
    address = f"http://{host}:8010/fleet"

    assert Settings.load({"MEETBOT_FLEET_URL": address}, tmp_path).fleet_url == address


def test_a_secret_shows_itself_nowhere(tmp_path: Path) -> None:
    settings = Settings.load({"MEETBOT_FLEET_API_KEY": "hunter2"}, tmp_path)

    assert settings.fleet_api_key == Secret("hunter2")
    assert settings.fleet_api_key.reveal() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings.fleet_api_key} {settings.fleet_api_key!r}"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("MEETBOT_GOOGLE_CLIENT_ID=plain", "plain"),
        ("export MEETBOT_GOOGLE_CLIENT_ID = spaced out ", "spaced out"),
        ("MEETBOT_GOOGLE_CLIENT_ID=a#b # said so", "a#b"),
        ("MEETBOT_GOOGLE_CLIENT_ID='raw \\n # \"x\"' # said so", 'raw \\n # "x"'),
        ('MEETBOT_GOOGLE_CLIENT_ID="a \\"b\\"\\n# c"', 'a "b"\n# c'),
        ("MEETBOT_GOOGLE_CLIENT_ID=a=b", "a=b"),
        ("MEETBOT_GOOGLE_CLIENT_ID=", None),
        ("# MEETBOT_GOOGLE_CLIENT_ID=no", None),
        ("", None),
    ],
)
def test_a_line_of_the_env_file_is_read(line: str, value: str | None, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{line}\n", encoding="utf-8")

    assert Settings.load({}, tmp_path).google_client_id == value


def test_the_environment_beats_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEETBOT_PORT=9001\nMEETBOT_HOST=::1\n", encoding="utf-8")

    settings = Settings.load({"MEETBOT_PORT": "9002"}, tmp_path)

    assert (settings.port, settings.host) == (9002, "::1")


@pytest.mark.parametrize("line", ["MEETBOT_PORT", "= 3", "MEETBOT_HOST='open", '1X="y"'])
def test_a_line_that_cannot_be_read_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"# first\n{line}\n", encoding="utf-8")

    place = f"{tmp_path / '.env'}, line 2"
    assert faults_of({}, tmp_path) == {
        place: ("it cannot be read", "write NAME=value there, and quotes in pairs")
    }


def test_an_env_file_of_other_bytes_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"MEETBOT_HOST=\xff")

    assert set(faults_of({}, tmp_path)) == {str(tmp_path / ".env")}


def test_every_setting_has_a_name_a_default_and_a_sentence() -> None:
    rows = describe()

    assert len(rows) == len({name for name, _, _ in rows}) == len(list(table()))
    assert all(sentence.endswith(".") for _, _, sentence in rows)
    assert ("MEETBOT_JOIN_LEAD", "90", "Seconds before its start at which a bot joins.") in rows
    assert ("MEETBOT_DATA_DIR", "./.meetbot", "Where our own servers, keys and logs are.") in rows


def test_a_mistyped_name_is_found() -> None:
    environ = {"MEETBOT_PRT": "1", "MEETBOT_PORT": "1", "VAULT_ADDR": "x", "HOME": "/"}

    assert unknown_names(environ) == ["MEETBOT_PRT"]


def test_faults_read_as_one_line_each() -> None:
    faults = (Fault(name="A", problem="b", remedy="c"), Fault(name="D", problem="e", remedy="f"))

    assert str(SettingsInvalid(faults)) == "A: b; c\nD: e; f"


@pytest.mark.parametrize(
    ("name", "given", "field", "read"),
    [
        ("MEETBOT_REGION", "us", "region", "us"),
        ("MEETBOT_REGION", "", "region", None),
        ("MEETBOT_RATE_LIMIT", "0", "rate_limit", 0),
        (
            "MEETBOT_TRUSTED_PROXIES",
            "10.0.0.0/8, ::1",
            "trusted_proxies",
            ("10.0.0.0/8", "::1/128"),
        ),
    ],
)
def test_regions_rates_and_proxies_are_read(
    name: str, given: str, field: str, read: object, tmp_path: Path
) -> None:
    assert getattr(Settings.load({name: given}, tmp_path), field) == read


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("MEETBOT_REGION", "mars"),
        ("MEETBOT_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("MEETBOT_RATE_LIMIT", "-1"),
    ],
)
def test_other_regions_rates_and_proxies_are_refused(name: str, given: str, tmp_path: Path) -> None:
    assert set(faults_of({name: given}, tmp_path)) == {name}
