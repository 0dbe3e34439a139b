"""A store on a real file, and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.persistence.store import Store, open_store
from tests.node.persistence.postgresql import emptied, server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; the test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'm3node.sqlite'}"
    return emptied(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store on an empty database."""
    opened = open_store(url)
    yield opened
    opened.close()
