"""The node's configuration: one TOML, parsed once, handed out section by section."""

from node.config.sections import (
    DatabaseConfig,
    DeliveryConfig,
    DestinationConfig,
    DicomwebDestination,
    DimseDestination,
    LogConfig,
    ModelConfig,
    NodeConfig,
    ReceiverConfig,
    ResultsConfig,
    ServeConfig,
    StorageConfig,
    StudyConfig,
    WorkerConfig,
    as_destination,
)
from node.config.source import find_config, load_config
from node.config.toml import commented_toml

__all__ = [
    "DatabaseConfig",
    "DeliveryConfig",
    "DestinationConfig",
    "DicomwebDestination",
    "DimseDestination",
    "LogConfig",
    "ModelConfig",
    "NodeConfig",
    "ReceiverConfig",
    "ResultsConfig",
    "ServeConfig",
    "StorageConfig",
    "StudyConfig",
    "WorkerConfig",
    "as_destination",
    "commented_toml",
    "find_config",
    "load_config",
]
