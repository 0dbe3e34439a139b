"""From a destination's configuration to the class that sends to its kind."""

from typing import assert_never

from node.config import DestinationConfig, DicomwebDestination, DimseDestination
from node.outbound.destination import Destination
from node.outbound.dicomweb import DicomwebService
from node.outbound.dimse import StorageProvider


def connect(config: DestinationConfig) -> Destination:
    """The destination that the configuration describes; nothing is opened yet."""
    match config:
        case DimseDestination():
            return StorageProvider(config)
        case DicomwebDestination():
            return DicomwebService(config)
        case _:
            assert_never(config)
