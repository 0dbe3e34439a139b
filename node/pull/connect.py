"""From a source's configuration to the class that asks its kind."""

from typing import assert_never

from node.config import DicomwebSource, DimseSource, SourceConfig
from node.pull.dicomweb import DicomwebService
from node.pull.dimse import QueryRetrieveProvider
from node.pull.source import Source


def connect(config: SourceConfig) -> Source:
    """The source that the configuration describes; nothing is opened yet."""
    match config:
        case DimseSource():
            return QueryRetrieveProvider(config)
        case DicomwebSource():
            return DicomwebService(config)
        case _:
            assert_never(config)
