"""What a holder does with any lease, and what is done with leases that nobody keeps any more."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from node.core.errors import LeaseLost
from node.core.states import State
from node.persistence import work
from node.persistence.conditions import in_states
from node.persistence.outdated import withdraw_outdated
from node.persistence.process_identity import is_dead_here
from node.persistence.rows import Lease
from node.persistence.schema import Delivery, Fetching, Job
from node.persistence.transactions import Transactions, judge_again, lock_study

KINDS: tuple[work.Work, ...] = (Job, Delivery, Fetching)
"""Every kind of leased work that the node has."""


class Leases(Transactions):
    """What holds for every lease."""

    def extend(self, lease: Lease, lease_s: float, now: datetime) -> bool:
        """The lease ends `lease_s` from now; False if it is no longer this process's own."""
        with self._write() as connection:
            return work.extend(connection, lease, until=now + timedelta(seconds=lease_s))

    def retry(self, lease: Lease, *, error: str, not_before: datetime, now: datetime) -> State:
        """The work is queued again, or dead if this was its last try.  Raises LeaseLost."""
        with self._write() as connection:
            lock_study(connection, lease.study_instance_uid)
            state = work.retry(connection, lease, error=error, not_before=not_before, now=now)
            _settled(connection, lease, now)
            return state

    def bury(self, lease: Lease, *, error: str, now: datetime) -> None:
        """The work is dead and waits for a person.  Raises LeaseLost."""
        with self._write() as connection:
            lock_study(connection, lease.study_instance_uid)
            work.bury(connection, lease, error=error, now=now)
            _settled(connection, lease, now)

    def release_leases(self, *, now: datetime) -> int:
        """Leases that nobody keeps any more are given up; how many were.

        Those that have lapsed, and those of processes of this host that run no more; what has used
        up its tries is dead, the rest queued.
        """
        with self._read() as connection:
            found = [each for kind in KINDS for each in abandoned(connection, kind, now=now)]
        return sum(self._release(lease, error, now) for lease, error in found)

    def give_back_leases(self, owner: str, *, now: datetime) -> int:
        """All leases of the owner are given back willingly: they cost no try; how many were."""
        with self._read() as connection:
            leases = [lease for kind in KINDS for lease in held_by(connection, kind, owner)]
        return sum(self._release(lease, None, now) for lease in leases)

    def _release(self, lease: Lease, error: str | None, now: datetime) -> bool:
        try:
            with self._write() as connection:
                lock_study(connection, lease.study_instance_uid)
                if error is None:
                    work.give_back(connection, lease, now=now)
                else:
                    work.release(connection, lease, error=error, now=now)
                _settled(connection, lease, now)
        except LeaseLost:
            return False  # its holder has settled it meanwhile, or another has claimed it
        return True


def _settled(connection: Connection, lease: Lease, now: datetime) -> None:
    """Whatever rests on the work is seen to."""
    withdraw_outdated(connection, lease.study_instance_uid, now)
    if lease.work is Fetching:
        judge_again(connection, lease.study_instance_uid, now)


def abandoned(connection: Connection, kind: work.Work, *, now: datetime) -> list[tuple[Lease, str]]:
    """Leases that nobody keeps any more, each with the reason.

    Those that have lapsed, and those of processes of this host that run no more.
    """
    found = []
    for lease, until in _running(connection, kind):
        if until < now:
            reason = f"its lease lapsed in try {lease.tries} of {lease.max_attempts}"
        elif is_dead_here(lease.owner):
            reason = f"its process died in try {lease.tries} of {lease.max_attempts}"
        else:
            continue
        found.append((lease, reason))
    return found


def held_by(connection: Connection, kind: work.Work, owner: str) -> list[Lease]:
    """The leases of one process."""
    return [lease for lease, _ in _running(connection, kind) if lease.owner == owner]


def _running(connection: Connection, kind: work.Work) -> list[tuple[Lease, datetime]]:
    rows = connection.execute(
        select(*kind.__table__.columns)
        .where(in_states(kind.state, {State.RUNNING}))
        .order_by(kind.id)
    )
    return [(work.lease_of(kind, row), row.lease_until) for row in rows]
