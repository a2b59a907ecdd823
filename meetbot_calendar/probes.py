"""Asks each part how it is, for ``/health/ready``: nothing, or a sentence that says what to do."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import text

from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage.migrations import newest, standing
from tenants.secrets.key_provider import KeyGone, KeyServiceDown, KeyServiceRefused
from tenants.storage.session import DatabaseDown

Probe = Callable[[], Awaitable[str | None]]


def probes_of(services: Services) -> dict[str, Probe]:
    """Return the parts that can be asked."""

    async def database() -> str | None:
        try:
            async with services.database.sweep() as session:
                await session.execute(text("select 1 from bots limit 1"))
        except DatabaseDown as down:
            return f"PostgreSQL cannot be reached ({down}): start it, or set MEETBOT_DATABASE_URL"
        return None

    async def migrations() -> str | None:
        wanted = await asyncio.to_thread(newest)
        try:
            async with services.database.sweep() as session:
                found = await standing(session)
        except DatabaseDown as down:
            return f"the tables cannot be looked at: {down}"
        if found == wanted:
            return None
        return f"the tables stand at {found}, this version needs {wanted}: run migrate"

    async def keys() -> str | None:
        try:
            await services.keyring.health()
        except (KeyServiceDown, KeyServiceRefused, KeyGone) as trouble:
            return f"the key service does not serve us: {trouble}"
        return None

    return {
        "database": database,
        "migrations": migrations,
        "keys": keys,
        "redis": services.wakeups.probe,
    }
