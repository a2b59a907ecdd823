"""Whose it is, and how it is kept apart."""
