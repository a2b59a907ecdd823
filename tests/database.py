"""A fresh database for each test: a copy of a template that the migrations made."""

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.storage.migrations import migrate

_COPY = "create database {} template {}"


@pytest.fixture(scope="session")
def template_database(servers: ServerState) -> str:
    """The name of a database that holds every table and no row."""
    name = f"template_{secrets.token_hex(4)}"
    _run(servers.owner_url, "create database {}", name)
    migrate(_of(servers.owner_url, name), _login(servers.app_url))
    return name


@pytest.fixture
def database_url(servers: ServerState, template_database: str) -> Iterator[str]:
    """A database of this test's own, as the role that the application logs in as."""
    name = f"test_{secrets.token_hex(6)}"
    _run(servers.owner_url, _COPY, name, template_database)
    yield _of(servers.app_url, name)
    _drop(servers.owner_url, name)


def _drop(url: str, name: str) -> None:
    """Drop a database: gently first, since force may not end PostgreSQL's own housekeeping."""
    try:
        _run(url, "drop database {}", name)
    except psycopg.errors.ObjectInUse:
        _run(url, "drop database {} with (force)", name)


def _run(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL(statement).format(*map(Identifier, names)))


def _of(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _login(url: str) -> str:
    return urlsplit(url).username or ""
