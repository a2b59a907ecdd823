"""Services that die after their n-th effect: a commit, a call that acts, a post.

What reads and what rings changes nothing: dying after it is dying before it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy.sql.dml import UpdateBase

from meetbot_calendar.journeys.services import Services


class Killed(BaseException):
    """The process ended here."""


class Fuse:
    """Counts effects; after the one numbered ``at`` the process is dead."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.effects: list[str] = []

    def burn(self, effect: str) -> None:
        self.effects.append(effect)
        if len(self.effects) == self.at:
            raise Killed(effect)


class _Session:
    """A session that knows whether anything was written in it."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.wrote = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        self.wrote = self.wrote or isinstance(statement, UpdateBase)
        return await self._session.execute(statement, parameters)


class _Database:
    def __init__(self, database: Any, fuse: Fuse) -> None:
        self._database = database
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @asynccontextmanager
    async def tenant(self, tenant_id: Any) -> AsyncIterator[_Session]:
        async with self._database.tenant(tenant_id) as session:
            watched = _Session(session)
            yield watched
        if watched.wrote:
            self._fuse.burn("commit")

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[_Session]:
        async with self._database.operator() as session:
            watched = _Session(session)
            yield watched
        if watched.wrote:
            self._fuse.burn("operator's commit")


class _Port:
    """A port some of whose calls are effects."""

    def __init__(self, port: Any, fuse: Fuse, calls: tuple[str, ...]) -> None:
        self._port = port
        self._fuse = fuse
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._done(name, found) if name in self._calls else found

    def _done(self, name: str, call: Any) -> Any:
        async def done(*given: Any, **named: Any) -> Any:
            answer = await call(*given, **named)
            self._fuse.burn(name)
            return answer

        return done


_PROVIDER = ("exchange", "refresh", "revoke", "watch", "renew", "unwatch")


def mortal(services: Services, fuse: Fuse) -> Services:
    """Return services that die with the fuse."""
    database: Any = _Database(services.database, fuse)
    fleet: Any = _Port(services.fleet, fuse, ("send", "find", "recall"))
    poster: Any = _Port(services.poster, fuse, ("post",))
    keyring: Any = _Port(services.keyring, fuse, ("destroy",))
    providers: dict[Any, Any] = {
        name: _Port(port, fuse, _PROVIDER) for name, port in services.providers.items()
    }
    return msgspec.structs.replace(
        services,
        database=database,
        keyring=keyring,
        fleet=fleet,
        poster=poster,
        providers=providers,
    )


def watched_database(services: Services, statement: str, act: Any) -> Services:
    """Return services to which something happens once, right after a statement was executed."""
    database: Any = _Watched(services.database, statement, act)
    return msgspec.structs.replace(services, database=database)


class _Watched:
    def __init__(self, database: Any, statement: str, act: Any) -> None:
        self._database = database
        self._statement = statement
        self._act = act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @asynccontextmanager
    async def tenant(self, tenant_id: Any) -> AsyncIterator[Any]:
        async with self._database.tenant(tenant_id) as session:
            yield _Overheard(session, self)

    async def heard(self, statement: Any) -> None:
        if self._act is not None and str(statement).startswith(self._statement):
            act, self._act = self._act, None
            await act()


class _Overheard:
    def __init__(self, session: Any, by: _Watched) -> None:
        self._session = session
        self._by = by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        done = await self._session.execute(statement, parameters)
        await self._by.heard(statement)
        return done
