"""Runs the steps in the caller's transaction: a migration happens as a whole or not at all."""

from alembic import context

from node.persistence.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
