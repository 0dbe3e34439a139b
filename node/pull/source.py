"""What every kind of source has in common; `connect` chooses the kind."""

from collections.abc import Sequence
from typing import Protocol

from m3net.uids import StudyInstanceUID
from node.core.fetching import Order, SeriesThere
from node.pull.taking import Taking

MOST_SERIES = 1000
MOST_INSTANCES = 100_000
"""Of one study; a source that lists more of it is not believed."""


class Source(Protocol):
    """Something that holds studies and gives them to whoever asks."""

    def find(self, study: StudyInstanceUID) -> Sequence[SeriesThere]:
        """What it holds of the study, series by series; empty if it holds nothing.

        Raises DestinationRefused if it will never answer that, DestinationUnreachable or
        DestinationNotReady if another try may succeed.
        """
        ...

    def find_studies(self, accession_number: str) -> Sequence[StudyInstanceUID]:
        """The studies of that accession number.  Raises as `find` does."""
        ...

    def fetch(self, study: StudyInstanceUID, order: Order, into: Taking) -> None:
        """It has sent what it would of the order.  Raises as `find` does."""
        ...

    def verify(self) -> None:
        """It answers; raises as `find` does."""
        ...
