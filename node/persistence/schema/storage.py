"""Which storage directory the database is of."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import Base


class Storage(Base):
    """The one storage directory that holds the files which the rows name.

    number   : always 1: there is one
    identity : stands in the directory too (`node.keeping.identity`)
    """

    __tablename__ = "storage"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    identity: Mapped[str]
    adopted_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("number = 1", name="number"),)
