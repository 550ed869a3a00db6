"""Run by Alembic around the migrations; transaction and lock are the caller's (`services.schema.migrate`)."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
