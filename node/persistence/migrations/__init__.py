"""The schema's history (alembic); `node.persistence.database` runs it."""
