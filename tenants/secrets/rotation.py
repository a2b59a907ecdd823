"""Rotates one tenant key in steps: each may be the last before a kill, and is then not repeated.

Where it began is written down first, so that whoever takes it up again can tell what was done: a
new version, a new data key wrapped under it, every older data key wrapped anew, and at last the
old versions given up. What is sealed stays readable throughout; nobody need know.
"""

from datetime import datetime

from tenants.secrets.data_key_store import Begun, DataKeyStore, StoredKey
from tenants.secrets.key_provider import KeyProvider, TenantKey


async def rotate(provider: KeyProvider, store: DataKeyStore, name: TenantKey, now: datetime) -> int:
    """Rotate one tenant key, or go on where it was left; returns how many keys were wrapped anew.

    Raises ``KeyGone`` for a tenant that has none, and what the provider raises.
    """
    standing = await provider.standing(name)
    here = Begun(version=standing.latest, number=await _newest(store, name))
    begun = await store.begun(name, here)
    if standing.latest == begun.version:
        await provider.rotate(name)
    await _add_data_key(provider, store, name, begun, now)
    version = (await provider.standing(name)).latest
    await store.set_floor(name, version)
    rewrapped = 0
    for key in await store.wrapped_under(name):
        if provider.version_of(key.wrapped) < version:
            await store.replace(key, await provider.rewrap(name, key.wrapped))
            rewrapped += 1
    await provider.raise_floor(name, version)
    return rewrapped


async def _add_data_key(
    provider: KeyProvider, store: DataKeyStore, name: TenantKey, begun: Begun, now: datetime
) -> None:
    """Add a standing data key, if none was added since the beginning. It seals two lifetimes on."""
    while await _newest(store, name) <= begun.number:
        wrapped = await provider.generate_wrapped(name)
        new = StoredKey(
            tenant_id=name.tenant_id,
            purpose=name.purpose,
            number=await store.next_number(name),
            under=name.purpose,
            passing=False,
            wrapped=wrapped,
            created_at=now,
        )
        await store.add(new, provider.version_of(wrapped))


async def _newest(store: DataKeyStore, name: TenantKey) -> int:
    return max((key.number for key in await store.standing(name)), default=0)
