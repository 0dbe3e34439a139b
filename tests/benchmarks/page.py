"""How long lists and pages take with a hospital's archive behind them.

    python -m tests.benchmarks.page [--studies 10000 100000] [--tries 9] [--plans] [--postgresql]

Prints the best of the tries of each address in ms, from the request to the last byte, a column for
each size and database; with --plans how SQLite goes about it.  --postgresql starts Debian's beside
SQLite.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from node.persistence.store import Store, open_store
from tests.node.persistence.archive import fill_archive, fill_work, uid_of
from tests.node.persistence.postgresql import emptied, server
from tests.node.persistence.test_plans import explained
from tests.node.web.serving import serving

_PAGES = (
    "/",
    "/?page={last}",
    "/?sort=accession&dir=up",
    "/?sort=date&page={last}",
    "/?q=A0000123",
    "/?q=0000123",
    "/?q=CT7",
    "/?q=A",
    "/?state=done",
    "/?state=done&page={last_done}",
    "/?state=done&sort=accession",
    "/?state=done&q=CT7",
    "/?state=waiting",
    "/?state=dead",
    "/?state=ignored",
    "/?state=received",
    "/?state=undelivered",
    "/queue",
    "/queue?state=done&page={last_done}",
    "/queue?sort=state",
    "/queue?q=CT7",
    "/queue?kind=delivery",
    "/queue?kind=delivery&state=done&sort=state",
    "/queue?kind=delivery&destination=pacs&state=done",
    "/queue?kind=delivery&state=dead&destination=archive",
    "/destinations",
    "/system",
    "/study/{study}",
    "/api/studies?limit=1000",
    "/api/studies?standing=done&standing=dead&delivery_state=done&limit=50",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, nargs="+", default=[10_000])
    parser.add_argument("--tries", type=int, default=9)
    parser.add_argument("--plans", action="store_true")
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    columns: dict[str, list[float]] = {}
    for kind in ("SQLite", *(["PostgreSQL"] if asked.postgresql else [])):
        for studies in asked.studies:
            with _archive(kind, studies) as (folder, store):
                columns[f"{kind} {studies}"] = _timed(
                    folder, store, studies, asked.tries, plans=asked.plans and kind == "SQLite"
                )
    sys.stdout.write(" ".join(f"{each:>18}" for each in columns) + "\n")
    for place, path in enumerate(_PAGES):
        row = " ".join(f"{times[place]:15.1f} ms" for times in columns.values())
        sys.stdout.write(f"{row}  {path}\n")


@contextmanager
def _archive(kind: str, studies: int) -> Iterator[tuple[Path, Store]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder}/node.sqlite"
        if kind == "PostgreSQL":
            url = emptied(stack.enter_context(server()))
        store = open_store(url)
        fill_archive(store._engine, studies, slices=3)
        fill_work(store._engine, studies)
        if kind == "PostgreSQL":
            with store._engine.begin() as connection:
                connection.exec_driver_sql("ANALYZE")  # as autovacuum does of itself
        yield folder, store


def _timed(folder: Path, store: Store, studies: int, tries: int, *, plans: bool) -> list[float]:
    said = {
        "last": -(-studies // 50),
        "last_done": -(-studies * 4 // 5 // 50),
        "study": uid_of(7),
    }
    best = []
    with serving(folder, store=store) as served:
        for path in _PAGES:
            times_ms = []
            address = path.format(**said)
            for _ in range(tries):
                began = time.perf_counter()
                answer = served.get(address)
                times_ms.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, answer.text
            best.append(min(times_ms))
            if plans:
                with explained(store._engine) as explanations:
                    served.get(address)
                sys.stdout.write(f"{best[-1]:9.1f} ms  {address}\n")
                for _, steps in explanations:
                    sys.stdout.writelines(f"    {step}\n" for step in steps)
    return best


if __name__ == "__main__":
    main()
