"""Sealing bytes to a tenant, and the keys that do it."""
