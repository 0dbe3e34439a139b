"""The schema's history (alembic); `node.persistence.upgrading` runs it.

No step has a way back: the version before could not read what is kept after it.  Who needs that
version restores the backup that was made before.
"""
