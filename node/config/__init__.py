"""The node's configuration: one TOML, parsed once, handed out section by section."""

from node.config.destinations import (
    DestinationConfig,
    DicomwebDestination,
    DimseDestination,
    FhirDestination,
    Hl7Destination,
)
from node.config.profiles import PROFILES, Profile
from node.config.receiver import (
    ReceiverConfig,
    ReceiverTLSConfig,
    as_destination,
)
from node.config.sections import (
    DatabaseConfig,
    DeliveryConfig,
    LogConfig,
    ModelConfig,
    NodeConfig,
    ResultsConfig,
    RetentionConfig,
    ServeConfig,
    StorageConfig,
    StudyConfig,
    WebConfig,
    WorkerConfig,
)
from node.config.source import find_config, load_config
from node.config.sources import DicomwebSource, DimseSource, PullConfig, SourceConfig
from node.config.toml import commented_toml, toml_value
from node.config.variables import sets_nothing, unknown_variables
from node.config.watch import AlertsConfig, WatchConfig

__all__ = [
    "PROFILES",
    "AlertsConfig",
    "DatabaseConfig",
    "DeliveryConfig",
    "DestinationConfig",
    "DicomwebDestination",
    "DicomwebSource",
    "DimseDestination",
    "DimseSource",
    "FhirDestination",
    "Hl7Destination",
    "LogConfig",
    "ModelConfig",
    "NodeConfig",
    "Profile",
    "PullConfig",
    "ReceiverConfig",
    "ReceiverTLSConfig",
    "ResultsConfig",
    "RetentionConfig",
    "ServeConfig",
    "SourceConfig",
    "StorageConfig",
    "StudyConfig",
    "WatchConfig",
    "WebConfig",
    "WorkerConfig",
    "as_destination",
    "commented_toml",
    "find_config",
    "load_config",
    "sets_nothing",
    "toml_value",
    "unknown_variables",
]
