"""Which object of ours a peer or a viewer takes, and the test that proves it.

A test says so by a mark, several if need be::

    @pytest.mark.shows("Comprehensive 3D SR", "OHIF", "drawn")

The marks of all tests are the table in deploy/CONFORMANCE.md, by way of node/operator/shown.tsv.
Where TESTS_SHOWN names a file, a run writes there which of them passed; CI requires that these are
the table.

    python -m tests.shown > node/operator/shown.tsv      # after a mark was added
    python -m tests.shown PASSED                         # fails, and says why, if they differ
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from node.operator.shown import TABLE, Claim, claims_text, in_order, read_claims

_MARKED = re.compile(r"mark\.shows|viewers\.kinds")


def collected() -> set[Claim]:
    """The claims of all tests, as pytest finds them."""
    root = Path(__file__).parent
    files = [path for path in root.rglob("test_*.py") if _MARKED.search(path.read_text())]
    with tempfile.NamedTemporaryFile(suffix=".tsv") as found:
        subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-qq", *sorted(files)],
            cwd=root.parent,
            env={**os.environ, "TESTS_SHOWN": found.name},
            stdout=subprocess.PIPE,
            check=True,
        )
        return set(read_claims(Path(found.name)))


# -- pytest's side ---------------------------------------------------------------------------------

_PROPERTY = "shows"
_passed: set[Claim] = set()
_failed: set[Claim] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's claims travel with its report, from process to process."""
    for item in items:
        for mark in item.iter_markers("shows"):
            of, peer, what = mark.args
            claim = Claim(of, peer, what, item.nodeid.partition("[")[0])
            item.user_properties.append((_PROPERTY, tuple(claim)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where tests are only collected, all claims count."""
    if session.config.option.collectonly:
        _passed.update(claims_of(session.items))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A claim holds if the test passed with each of its parameters."""
    claims = _claims(report.user_properties)
    if report.when == "call" and report.passed:
        _passed.update(claims)
    elif not report.passed:
        _failed.update(claims)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What holds is written where TESTS_SHOWN says."""
    if "TESTS_SHOWN" in os.environ and not hasattr(session.config, "workerinput"):
        Path(os.environ["TESTS_SHOWN"]).write_text(claims_text(_passed - _failed))


def claims_of(items: Iterable[pytest.Item]) -> set[Claim]:
    """What these tests claim."""
    return {claim for item in items for claim in _claims(item.user_properties)}


def _claims(properties: Iterable[tuple[str, object]]) -> list[Claim]:
    return [Claim(*value) for name, value in properties if name == _PROPERTY]


def main(arguments: list[str]) -> int:
    if not arguments:
        sys.stdout.write(claims_text(collected()))
        return 0
    table, passed = set(read_claims(TABLE)), set(read_claims(Path(arguments[0])))
    for claim in in_order(table - passed):
        sys.stderr.write(f"{claim.of}, {claim.peer}: {claim.test} did not pass\n")
    for claim in in_order(passed - table):
        sys.stderr.write(f"{claim.of}, {claim.peer}: {claim.test} is not in {TABLE.name}\n")
    return 0 if table == passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
