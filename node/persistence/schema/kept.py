"""What is on its way from the disk, and what has been erased."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import Base


class Removal(Base):
    """A file of the spool that no row needed when it was marked; it is removed if none does then.

    since : when it was marked; a file that was written after that is not removed
    """

    __tablename__ = "removal"

    path: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class Erasure(Base):
    """A study that was erased: all that stays of it.

    by           : who asked for it
    study_digest : hex sha256 of its Study Instance UID, so that who knows it can ask for it
    objects      : how many were received of it
    results      : how many objects were made of it
    """

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    study_digest: Mapped[str]
    objects: Mapped[int]
    results: Mapped[int]

    __table_args__ = (Index(None, "study_digest"),)
