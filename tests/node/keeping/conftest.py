"""A bench on a real file, and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.keeping.bench import Bench, bench
from tests.node.persistence.postgresql import emptied, server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with server() as url:
        yield url


on_both = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
"""The test runs on both kinds of database."""


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: SQLite's, unless the test runs on both kinds."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'm3node.sqlite'}"
    return emptied(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def kept(url: str, tmp_path: Path) -> Iterator[Bench]:
    """A database and its spool, in which every row has its file."""
    made = bench(url, tmp_path)
    yield made
    made.store.close()
