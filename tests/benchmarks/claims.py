"""How long a claim and the other queries of every tick take beside a long history.

    python -m tests.benchmarks.claims [--jobs 110000] [--rounds 20]

A SQLite file under a temporary folder holds so many settled jobs and their deliveries; then one
study is queued, and each query is timed.  Prints medians in milliseconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from node.persistence.store import open_store
from tests.node.persistence.filling import NOON, at, claimed, finish, queued
from tests.node.persistence.history import fill


def main() -> None:
    """Print one line for each query."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=110_000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'm3node.sqlite'}")
        fill(store._engine, arguments.jobs)
        print(f"{arguments.jobs} jobs")

        def timed(name: str, query: Callable[[], object]) -> None:
            taken = []
            for _ in range(arguments.rounds):
                started = time.perf_counter()
                query()
                taken.append(1000 * (time.perf_counter() - started))
            print(f"{name:28} {statistics.median(taken):8.2f} ms")

        owner = "host-a:1:1"
        timed("claim_job, none", lambda: store.claim_job(owner=owner, lease_s=60, now=NOON))
        timed(
            "claim_delivery, none",
            lambda: store.claim_delivery(destination="pacs", owner=owner, lease_s=60, now=NOON),
        )
        timed("unreported_failure", store.unreported_failure)
        timed("release_leases", lambda: store.release_leases(now=NOON))
        timed("studies_to_judge", lambda: store.studies_to_judge(NOON))
        timed("list_studies, 50", lambda: store.list_studies(limit=50))
        timed("list_jobs, 50", lambda: store.list_jobs(limit=50))
        queued(store, 0)

        def claim_again() -> None:
            lease = store.claim_job(owner=owner, lease_s=60, now=NOON)
            assert lease is not None
            store.retry(lease, error="x", not_before=NOON, now=NOON)

        arguments.rounds = 2
        timed("claim_job and retry", claim_again)
        finish(store, claimed(store, now=at(1)))
        store.close()


if __name__ == "__main__":
    main()
