"""Runs migrations on a connection that the caller made."""

from alembic import context

from meetbot_calendar.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
