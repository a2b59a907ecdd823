"""The cellar's own errors, for the doors that must tell them apart and may not go there."""

from tenants.secrets.envelope import CannotOpen
from tenants.secrets.key_provider import KeyGone, KeyServiceDown, KeyServiceRefused
from tenants.storage.session import DatabaseDown

__all__ = [
    "KEYS_AWAY",
    "CannotOpen",
    "DatabaseDown",
    "KeyGone",
    "KeyServiceDown",
    "KeyServiceRefused",
]

KEYS_AWAY = (KeyServiceDown, KeyServiceRefused, KeyGone)
