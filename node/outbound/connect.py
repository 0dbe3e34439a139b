"""From a destination's configuration to the class that sends to its kind."""

from typing import assert_never

from node.config import (
    DestinationConfig,
    DicomwebDestination,
    DimseDestination,
    FhirDestination,
    Hl7Destination,
)
from node.outbound.destination import Destination
from node.outbound.dicomweb import DicomwebService
from node.outbound.dimse import StorageProvider
from node.outbound.fhir import FhirServer
from node.outbound.hl7 import Hl7Interface


def connect(config: DestinationConfig) -> Destination:
    """The destination that the configuration describes; nothing is opened yet."""
    match config:
        case DimseDestination():
            return StorageProvider(config)
        case DicomwebDestination():
            return DicomwebService(config)
        case FhirDestination():
            return FhirServer(config)
        case Hl7Destination():
            return Hl7Interface(config)
        case _:
            assert_never(config)
