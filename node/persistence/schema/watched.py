"""What is watched: that each process runs, and what is wrong for how long."""

from datetime import datetime

from sqlalchemy import Double
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import Base


class ProcessPulse(Base):
    """One of the node's processes, for as long as it runs (`node.watch.pulse`).

    owner      : the process (`process_identity`)
    boot       : of the host since its last start; ticks of one boot can be compared
    started_at : when the process began
    at, tick   : when it last said that it runs: by the clock, and in seconds that no clock's change
                 moves (CLOCK_MONOTONIC)
    moved_tick : when that part of it that has moved least lately was last seen to go on
    doing      : what that part does; None if it waits for something to do
    """

    __tablename__ = "process_pulse"

    host: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    boot: Mapped[str]
    started_at: Mapped[datetime]
    at: Mapped[datetime]
    tick: Mapped[float] = mapped_column(Double)
    moved_tick: Mapped[float] = mapped_column(Double)
    doing: Mapped[str | None]


class StandingSign(Base):
    """One thing that is wrong, from when it was first seen until it is over and told.

    since   : when it began, as far as anybody knows
    seen_at : when it was first seen
    over_at : when it was seen no more; the row goes when that has been told
    """

    __tablename__ = "standing_sign"

    name: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    severity: Mapped[str]
    says: Mapped[str]
    since: Mapped[datetime]
    seen_at: Mapped[datetime]
    over_at: Mapped[datetime | None]


class ToldSign(Base):
    """One way of telling has been told of a standing sign; it is told once more when it is over.

    recipient : "webhook" or "mail"
    """

    __tablename__ = "told_sign"

    name: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(primary_key=True)
    told_at: Mapped[datetime]
