"""How Alembic runs the journal's migrations: on the connection it is handed, never on one of its own."""

from alembic import context

from liaison.hub.journal.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
