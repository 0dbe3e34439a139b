"""One node that the tests of a process share; those that kill or starve one make their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.bed import Bed, bed


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """A running node and its PACS; each test sends a study of its own."""
    with bed(tmp_path_factory.mktemp("node")) as made:
        made.start()
        yield made
        assert made.stop() == 0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bed]:
    """A node of the test's own, not started yet."""
    with bed(tmp_path) as made:
        yield made
