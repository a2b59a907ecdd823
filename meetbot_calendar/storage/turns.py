"""Turns: a tenant-wide mutual exclusion that ends with the transaction."""

from sqlalchemy import text

from tenants.storage.session import TenantSession


async def take(session: TenantSession, what: str) -> None:
    """Wait until no other transaction of this tenant has this turn, and keep it to the commit."""
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"{what}:{session.tenant_id}"},
    )
