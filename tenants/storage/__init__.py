"""The only door to the database, and the tenants' own rows."""
