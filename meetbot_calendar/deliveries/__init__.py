"""Telling the tenant. Pure."""
