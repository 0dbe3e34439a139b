"""What is counted as it happens, because counting it later would mean to read every row."""

from sqlalchemy import Double
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import Base


class Tally(Base):
    """How often something happened, or what it adds up to; `node.persistence.tallies`.

    bucket : of a histogram, the number of the range that a value fell into; 0 of a counter; the
             sum of all values stands at -1
    """

    __tablename__ = "tally"

    metric: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float] = mapped_column(Double)
