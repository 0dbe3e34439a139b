"""After a restore or a rebuild nothing happens by itself: what was under way waits for a person.

What the rows say may be out of date: a report may have been sent since, of more slices.  To send
what was queued then, or to judge what is here, could put an outdated report after the right one.
"""

from datetime import datetime

from sqlalchemy import delete, or_, select, update

from node.core.diary import Kind
from node.core.states import State
from node.persistence import work
from node.persistence.conditions import in_states, is_open
from node.persistence.schema import (
    Delivery,
    Fetching,
    Job,
    ProcessPulse,
    Sender,
    Session,
    Study,
)
from node.persistence.transactions import Transactions, record

HELD = "held: "
"""So begins the error of what is held: nobody decided against it."""
UNTIL_SENT_AGAIN = "for somebody to send it again, or any object of it"
"""So begins what a study waits for that is held."""


class Holding(Transactions):
    """What is held."""

    def hold_everything(self, *, because: str, by: str, now: datetime) -> int:
        """No study is judged, and nothing is analysed, sent or fetched, until somebody asks for it.

        Studies that waited or were to be judged are; one that gets anything, be it the same again,
        is judged, and an analysis that is held is queued if that is what it comes to.  How many
        studies that are.

        Nobody is logged in, and no process is looked for that ran then, perhaps elsewhere.
        """
        with self._write() as connection:
            connection.execute(delete(ProcessPulse))
            connection.execute(
                update(Session).where(Session.ended_at.is_(None)).values(ended_at=now)
            )
            for kind in (Fetching, Delivery, Job):
                for row in connection.execute(
                    select(*kind.__table__.columns).where(is_open(kind)).order_by(kind.id)
                ).all():
                    work.cancel_one(
                        connection,
                        row,
                        kind,
                        error=f"{HELD}{because}",
                        now=now,
                        line=work.Line({"by": by}),
                    )
            # Nor is a failure reported that somebody may have cured since.
            connection.execute(
                update(Job).where(in_states(Job.state, {State.DEAD})).values(failure_reported=True)
            )
            connection.execute(
                update(Sender).where(Sender.closed_at.is_(None)).values(closed_at=now)
            )
            open_ = or_(Study.judge_at.is_not(None), Study.waiting_for.is_not(None))
            held = list(connection.execute(select(Study.study_instance_uid).where(open_)).scalars())
            reason = f"{UNTIL_SENT_AGAIN}: {because}"
            connection.execute(
                update(Study)
                .where(open_)
                .values(judge_at=None, waiting_for=reason, expired_at=now, change=Study.change + 1)
            )
            for study in held:
                record(connection, Kind.STUDY_WAITS, study=study, now=now, reason=reason)
            return len(held)
