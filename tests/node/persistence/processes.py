"""Processes that the tests start, and kill; each is `python -m tests.node.persistence.processes`.

A process dies by its own SIGKILL at a named step: no handler runs, nothing is flushed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NoReturn

from node.core.errors import LeaseLost
from node.core.states import State
from node.persistence.process_identity import this_process
from node.persistence.rows import JobLease
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from tests.node.persistence.filling import NOON, SCANNER, finish

ROOT = Path(__file__).parents[3]
LATER = timedelta(minutes=5)


def start(*arguments: object) -> subprocess.Popen[str]:
    """A process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.node.persistence.processes", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(*arguments: object) -> None:
    """A process that has killed itself at its step."""
    process = start(*arguments)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, "it was to die at its step"


def _say(line: str) -> None:
    """One write, so that the lines of several processes do not mix."""
    os.write(1, f"{line}\n".encode())


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody outlives SIGKILL")


def _forked(count: int, action: Callable[[int], None]) -> list[int]:
    """That many children at once, and how each of them ended (0, or minus the signal's number)."""
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                action(number)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def open_at_once(url: str, count: str) -> None:
    """That many processes open the store at the same moment."""
    assert _forked(int(count), lambda _number: open_store(url).close()) == [0] * int(count)


def settle_all(url: str, jobs: str, processes: str) -> None:
    """Generations of processes claim and finish jobs until all are done; prints who was killed.

    Leases last a minute, and every generation's clock is an hour ahead of the one before.
    """
    store = open_store(url)
    first = _claimed(store, NOON)
    assert first is not None
    _overtake(store, first, NOON)
    store.close()
    for generation in range(1, 200):
        now = NOON + timedelta(hours=generation)
        seed = generation * 100
        for ending in _forked(
            int(processes),
            lambda number: _settle(url, Random(seed + number), now),  # noqa: B023
        ):
            assert ending in (0, -signal.SIGKILL), ending
            _say("killed" if ending else "ended")
        store = open_store(url)
        done = store.counts()["job"].get(State.DONE, 0)
        store.close()
        if done == int(jobs):
            return
    raise AssertionError("the queue does not empty")


def _settle(url: str, rng: Random, now: datetime) -> None:
    """One in ten claims dies; one in twenty is finished only after its lease is over."""
    store = open_store(url)
    while True:
        lease = _claimed(store, now)
        if lease is None:
            break
        fate = rng.random()
        if fate < 0.10:
            _die()
        if fate < 0.15:
            _overtake(store, lease, now)
        else:
            _finish_and_say(store, lease)
    # Others whose clocks are past the lease's end take what the dead have left.
    while (late := store.claim_job(owner="late:1:1", lease_s=60, now=now + LATER)) is not None:
        _finish_and_say(store, late)


def _claimed(store: Store, now: datetime) -> JobLease | None:
    return store.claim_job(owner=this_process(), lease_s=60, now=now)


def _overtake(store: Store, lease: JobLease, now: datetime) -> None:
    """Another, whose clock is past the lease's end, takes work over and is done before its holder.

    It is this lease's own job if no other lease is older.
    """
    late = store.claim_job(owner="late:1:1", lease_s=60, now=now + LATER)
    if late is not None:
        _finish_and_say(store, late)
    _finish_and_say(store, lease)


def _finish_and_say(store: Store, lease: JobLease) -> None:
    try:
        finish(store, lease)
    except LeaseLost:
        _say("overtaken")
    else:
        _say(f"job {lease.job_id}")


def receive(url: str, directory: str, step: str) -> None:
    """Receive the file on standard input's path, dying at the step."""
    from node.inbound.intake import Intake

    store, spool = open_store(url), Spool(Path(directory) / "spool")
    if step == "before the rename":
        os.link = lambda *_names: _die()  # the step
    elif step == "before the row":
        store.record_instances = lambda _received: _die()
    intake = Intake(spool=spool, store=store, min_free_bytes=0, clock=lambda: datetime.now(UTC))
    association = store.open_sender(SCANNER, owner=this_process(), now=datetime.now(UTC))
    intake.accept_file(Path(directory) / "sent.dcm", sender_id=association)
    if step == "before the answer":
        _die()


def work(url: str, directory: str, step: str) -> None:
    """Take the next job and write its results, dying at the step."""
    store, spool = open_store(url), Spool(Path(directory) / "spool")
    lease = store.claim_job(owner=this_process(), lease_s=60, now=datetime.now(UTC))
    assert lease is not None
    if step == "while analysing":
        _die()
    spool.write([f"report of {lease.job_id}".encode()])
    if step == "before the commit":
        _die()
    finish(store, lease)


def deliver(url: str, directory: str, step: str) -> None:
    """Send the next delivery to a file that stands for the destination, dying at the step."""
    store = open_store(url)
    lease = store.claim_delivery(
        destination="pacs", owner=this_process(), lease_s=60, now=datetime.now(UTC)
    )
    assert lease is not None
    with open(Path(directory) / "destination", "a") as destination:
        for item in lease.artifacts:
            destination.write(f"{item.sop_instance_uid}\n")
    if step == "before the settle":
        _die()
    store.finish_delivery(lease, now=datetime.now(UTC))


def main(arguments: Sequence[str]) -> None:
    """Run one of the above by its name."""
    actions: dict[str, Callable[..., None]] = {
        "open": open_at_once,
        "settle": settle_all,
        "receive": receive,
        "work": work,
        "deliver": deliver,
    }
    actions[arguments[0]](*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
