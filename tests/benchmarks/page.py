"""How long pages take with a hospital's archive behind them.

python -m tests.benchmarks.page [STUDIES]
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from node.persistence.store import open_store
from tests.node.persistence.archive import fill_archive, uid_of
from tests.node.web.serving import serving

_TRIES = 9


def main() -> None:
    """One line a page: the median of the tries, in ms."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    last = -(-studies // 50)
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(f"sqlite:///{scratch}/node.sqlite")
        fill_archive(store._engine, studies, slices=3)
        with serving(Path(scratch), store=store) as served:
            for path in (
                "/",
                f"/?page={last}",
                "/?sort=accession&dir=up",
                "/?q=A0000123",
                "/?q=0000123",
                "/?state=done",
                "/?state=dead",
                "/queue",
                "/destinations",
                f"/study/{uid_of(7)}",
            ):
                times_ms = []
                for _ in range(_TRIES):
                    began = time.perf_counter()
                    answer = served.get(path)
                    times_ms.append(1000 * (time.perf_counter() - began))
                    assert answer.status_code == 200, answer.text
                sys.stdout.write(f"{statistics.median(times_ms):7.1f} ms  {path}\n")


if __name__ == "__main__":
    main()
