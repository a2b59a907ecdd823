"""``tenants`` and ``keys``: what an operator types to let somebody in."""

import asyncio
import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from meetbot_calendar.commands import keys, tenants
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.journeys.keys import recognise
from meetbot_calendar.settings import Secret, Settings
from meetbot_calendar.wiring import open_services
from tenants.identity import TenantContext


@pytest.fixture
def settings(servers: ServerState, database_url: str, tmp_path: Path) -> Settings:
    owner = urlsplit(servers.owner_url)._replace(path=urlsplit(database_url).path).geturl()
    return Settings(
        database_url=Secret(database_url),
        owner_database_url=Secret(owner),
        redis_url=Secret(servers.redis_url),
        data_dir=tmp_path,
    )


def _parsed(module: object, *words: str) -> Namespace:
    parser = ArgumentParser()
    module.arguments(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)


def _recognised(settings: Settings, key: str) -> TenantContext | None:
    async def ask() -> TenantContext | None:
        async with open_services(settings) as services:
            return await recognise(services, key)

    return asyncio.run(ask())


def test_a_tenant_is_made_and_its_key_shown_once(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tenants.main(settings, _parsed(tenants, "create", "Acme", "--region", "us"))

    said = capsys.readouterr().out
    tenant_id, key = re.findall(r"ten_\w+", said)[0], re.findall(r"mbk_\S+", said)[0]
    found = _recognised(settings, key)
    assert code == 0
    assert found is not None
    assert found.tenant_id == tenant_id


def test_a_key_is_made_for_a_tenant_and_its_tenants_keys_are_rotated(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    tenants.main(settings, _parsed(tenants, "create", "Acme"))
    tenant_id = re.findall(r"ten_\w+", capsys.readouterr().out)[0]

    made = keys.main(settings, _parsed(keys, "create", "--tenant", tenant_id, "--name", "ci"))
    key = re.findall(r"mbk_\S+", capsys.readouterr().out)[0]
    rotated = keys.main(settings, _parsed(keys, "rotate"))

    assert (made, rotated) == (0, 0)
    assert capsys.readouterr().out.splitlines() == [
        f"1/2 {tenant_id} content",
        f"2/2 {tenant_id} grant",
        "2 keys rotated, 2 data keys wrapped anew under them",
    ]
    assert _recognised(settings, key) is not None


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (tenants, ["create", " "]),
        (tenants, ["create", "x" * 201]),
        (tenants, ["create", "Acme", "--retention-days", "0"]),
        (keys, ["create", "--tenant", "ten_none"]),
        (keys, ["rotate", "--tenant", "ten_none"]),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    settings: Settings, module: object, words: list[str]
) -> None:
    with pytest.raises(CannotStart):
        module.main(settings, _parsed(module, *words))  # type: ignore[attr-defined]
