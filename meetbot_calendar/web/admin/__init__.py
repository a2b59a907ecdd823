"""The tenant's page for people: rendered here, with a login of its own."""
