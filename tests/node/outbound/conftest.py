"""What the tests of destinations send, and a server to send it to."""

from collections.abc import Iterator

import pytest

from node.outbound.destination import OutgoingObject
from tests.node.outbound.answering import Server, answering, outgoing
from tests.results import one_set


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers as it is told."""
    with answering() as server:
        yield server


@pytest.fixture(scope="package")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> OutgoingObject:
    """A report, ready to be sent."""
    return outgoing(one_set()[1], tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="package")
def picture(tmp_path_factory: pytest.TempPathFactory) -> OutgoingObject:
    """A capture as it lies in the spool."""
    return outgoing(one_set()[0], tmp_path_factory.mktemp("capture"))
