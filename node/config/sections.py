"""One frozen model a section: keys, defaults, and the sentence that explains each.

The docstrings under the fields are what `m3node init` writes into node.toml.  Every key has a
default except where a destination is.
"""

from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.networks import IPvAnyNetwork

from node.config.destinations import DestinationConfig, DicomDestination
from node.config.receiver import ReceiverConfig
from node.config.section import (
    Attempts,
    Host,
    Lease,
    Port,
    Seconds,
    Section,
    formed,
    written_out,
)
from node.config.sources import PullConfig, SourceConfig
from node.config.watch import AlertsConfig, WatchConfig
from node.core.retry import FailureKind, RetryPolicy
from sr_templates.pictures.capture_view import MapStyle

Origin = Annotated[
    str, formed(r"https?://[^/\s*]+", "an origin such as https://viewer.example, with no path")
]
PublicURL = Annotated[
    str,
    formed(
        r"https?://[^/\s?#]+(/[^/\s?#]+)*",
        'an address such as https://pacs.example/m3node/dicom-web, without "/" at its end',
    ),
]
HostName = Annotated[
    str, formed(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})", "a name such as m3node.hospital.example")
]
_OUR_OWN = "(?!(?i:authorization|cookie|host|origin)$)"
HeaderName = Annotated[
    str, formed(_OUR_OWN + r"[A-Za-z0-9-]{1,64}", "the name of a header such as X-Remote-User")
]

_SQLITE = "sqlite:///"


def _database_beside(url: str, info: ValidationInfo) -> str:
    if not isinstance(info.context, Path) or not url.startswith(_SQLITE) or ":memory:" in url:
        return url
    return _SQLITE + str(info.context / written_out(Path(url.removeprefix(_SQLITE))))


DatabaseURL = Annotated[str, AfterValidator(_database_beside)]
"""An SQLAlchemy URL; the file of an SQLite database is a path like any other."""


class WebConfig(Section):
    """The page, DICOMweb, and the node's health, over HTTP."""

    enabled: bool = True
    """Whether it is served."""
    host: Host = "127.0.0.1"
    """Address to listen on; 0.0.0.0 listens on every IPv4 interface. Another than this machine's
    own is refused until there is a user: `m3node user add NAME --role operator`."""
    port: Port = 8105
    """TCP port to listen on. Where it is taken, the log says so and the node receives all the same.
    """
    certificate_file: Path | None = Field(default=None, examples=["web-certificate.pem"])
    """PEM file of the certificate and those that sign it; absent: HTTP without TLS."""
    key_file: Path | None = Field(default=None, examples=["web-key.pem"])
    """PEM file of its private key; absent: in certificate_file."""
    allowed_peers: tuple[IPvAnyNetwork, ...] | None = Field(
        default=None, examples=[["10.1.0.0/16", "127.0.0.1"]]
    )
    """Addresses or networks whose requests below /dicom-web need neither log-in nor token; others
    need one, and without any user are refused. Absent: none, or, while there is no user, everyone
    on this machine. Behind a proxy the address is the proxy's. The page always asks for a log-in.
    """
    allowed_origins: tuple[Origin, ...] = ()
    """Origins of web pages elsewhere that may read the answers, such as "https://viewer.example";
    compared as they are written."""

    ohif_directory: Path | None = Field(default=None, examples=["ohif/dist"])
    """Folder dist of @ohif/app, built for the root of a server: the page of a study then offers to
    open it in OHIF on this node. Not behind a proxy that puts a path before the node's addresses.
    """
    public_url: PublicURL | None = Field(
        default=None, examples=["https://pacs.example/m3node/dicom-web"]
    )
    """Where clients find DICOMweb if a proxy stands before it: answers hold addresses. Absent: at
    the host that the request names. What proxies say of themselves is not heeded."""

    host_names: tuple[HostName, ...] = ()
    """Names by which browsers may ask, beside those of this machine and public_url's. Others are
    refused if any stands here, and always where web.host is this machine alone."""
    proxy_peers: tuple[IPvAnyNetwork, ...] | None = Field(default=None, examples=[["10.1.0.9"]])
    """Addresses of proxies that ask for a log-in themselves and say who it is; from others the
    header proxy_user_header counts for nothing."""
    proxy_user_header: HeaderName | None = Field(default=None, examples=["X-Remote-User"])
    """Header in which such a proxy names the user; the role is that of the user of this name
    (`m3node user add NAME --role viewer --no-password`)."""
    session_idle_s: Seconds = 1800.0
    """After so long without a request a user has to log in again."""
    session_s: Seconds = 43200.0
    """After so long in any case."""

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Self:
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file is of no use without certificate_file")
        return self

    @model_validator(mode="after")
    def _header_has_a_proxy(self) -> Self:
        if self.proxy_user_header is not None and self.proxy_peers is None:
            raise ValueError("proxy_user_header is of no use without proxy_peers")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_reached_directly(self) -> bool:
        """Whether nothing says that a proxy brings others."""
        return self.public_url is None and self.proxy_peers is None

    @property
    def is_secured(self) -> bool:
        """Whether clients reach it over TLS: its own, or a proxy's."""
        return self.certificate_file is not None or (self.public_url or "").startswith("https:")

    @property
    def root(self) -> str:
        """What stands before every address of the page: empty, or a proxy's path ("/m3node")."""
        path = urlsplit(self.public_url or "").path
        return path.rstrip("/").removesuffix("/dicom-web")


class StudyConfig(Section):
    """When a study is complete."""

    quiet_period_s: Annotated[float, Field(ge=0)] = 60.0
    """A study is quiet when nothing came for so long and no association to it is open."""
    max_wait_s: Annotated[float, Field(ge=0)] = 1800.0
    """Longest wait, from the last arrival, for instances that an annotation refers to."""
    when_unannotated: Literal["wait", "report"] = "wait"
    """A CT without an annotation: "wait" for one, or "report" that nothing was assessed."""
    unannotated_expires_s: Seconds = 1209600.0
    """A CT that waits for an annotation is listed as expired so long after its last arrival (14
    days); it is taken up again when one comes."""
    look_every_s: Seconds = 0.5
    """How often the scheduler looks at the open studies."""


class StorageConfig(Section):
    """Where received objects and results lie: one local disk."""

    directory: Path = Path("data")
    """Folder of the received objects and the results; made if it is missing. One running node for
    each folder."""
    min_free_gb: Annotated[float, Field(ge=0)] = 2.0
    """Below so much free space a C-STORE is answered with A700, Out of Resources."""


class RetentionConfig(Section):
    """What may leave the disk by itself: nothing while no number is set, and nothing of a study
    that waits, is analysed, or has results that are not delivered. What was said of a study stays:
    its diary, and what its report said."""

    keep: Literal["until_delivered", "forever"] = "until_delivered"
    """"forever" removes nothing, whatever the numbers say."""
    received_days: Annotated[float, Field(ge=0)] | None = Field(default=None, examples=[30])
    """So long after the last arrival what was received is removed; absent: not by age."""
    results_days: Annotated[float, Field(ge=0)] | None = Field(default=None, examples=[365])
    """So long after they were sent results are removed, where they are delivered; absent: not by
    age. Where there is no destination they stay."""
    watermark_gb: Annotated[float, Field(gt=0)] | None = Field(default=None, examples=[500])
    """Above so many gigabytes of stored objects the oldest studies are freed first, what was
    received before results; absent: no limit."""


class DatabaseConfig(Section):
    """The queue and the diary."""

    url: DatabaseURL = "sqlite:///data/m3node.sqlite"
    """SQLAlchemy URL, sqlite:///FILE on a local disk or postgresql+psycopg://USER@HOST/NAME; where
    it is left out, m3node.sqlite in storage.directory."""
    password_file: Path | None = Field(default=None, examples=["database-password"])
    """File whose first line is the database password, so that no secret stands here."""


class ModelConfig(Section):
    """Which network judges, and on what it runs."""

    weights: Literal["default", "untrained"] | Path = "default"
    """"default", a .safetensors file with its model card (.json) beside it, or "untrained": a
    seeded initialisation to try an installation with, whose results say that they are none."""
    device: Annotated[str, formed(r"auto|cpu|cuda(:\d+)?", '"auto", "cpu", "cuda" or "cuda:1"')] = (
        "auto"
    )
    """"auto" (CUDA where there is some), "cpu", "cuda", "cuda:1"."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """"bf16" runs under autocast: faster, and probabilities move in the third digit."""


class WorkerConfig(Section):
    """The process that analyses studies."""

    lease_s: Lease = 45.0
    """A worker that is silent for so long loses its job to the next; at most 60."""
    max_attempts: Attempts = 4
    """After so many attempts a job is dead and waits for a person."""
    retry_base_s: Seconds = 5.0
    """First pause between attempts; doubled each time, with jitter."""
    retry_cap_s: Seconds = 300.0
    """Longest pause between attempts."""
    poll_s: Seconds = 0.5
    """How often an idle worker looks for a job."""

    @property
    def retry_policies(self) -> Mapping[FailureKind, RetryPolicy]:
        """The pauses after each kind of failure that is tried again: all alike."""
        policy = RetryPolicy(base_s=self.retry_base_s, cap_s=self.retry_cap_s)
        return {FailureKind.TRANSIENT: policy, FailureKind.PASSING: policy}


class DeliveryConfig(Section):
    """The process that sends results."""

    lease_s: Lease = 45.0
    """A deliverer that is silent for so long loses its delivery to the next; at most 60."""
    max_attempts: Attempts = 100
    """After so many attempts a delivery is dead and waits for a person (100: about a day of a
    destination that is down, three of one that does not take it as things stand)."""
    retry_base_s: Seconds = 5.0
    """First pause between attempts; doubled each time, with jitter."""
    retry_cap_s: Seconds = 900.0
    """Longest pause between attempts."""
    not_ready_base_s: Seconds = 60.0
    """First pause where somebody has to see to something first: this node is not registered there,
    a token has run out, the address is wrong, a failure that says no more; doubled likewise."""
    not_ready_cap_s: Seconds = 3600.0
    """Longest such pause; what somebody has cured is sent within that time by itself."""
    poll_s: Seconds = 0.5
    """How often an idle deliverer looks for something to send."""

    @property
    def retry_policies(self) -> Mapping[FailureKind, RetryPolicy]:
        """The pauses after each kind of failure that is tried again."""
        return {
            FailureKind.TRANSIENT: RetryPolicy(base_s=self.retry_base_s, cap_s=self.retry_cap_s),
            FailureKind.PASSING: RetryPolicy(
                base_s=self.not_ready_base_s, cap_s=self.not_ready_cap_s
            ),
        }


class AnnotationsConfig(Section):
    """What counts as the mark of a nodule. A change here makes new results of old studies."""

    languages: Annotated[tuple[Literal["en", "de", "fr", "es", "it"], ...], Field(min_length=1)] = (
        "en",
        "de",
        "fr",
        "es",
        "it",
    )
    """Languages in which a label, a comment or a tracking identifier may call a mark a nodule."""
    unlabelled: Literal["list", "judge"] = "list"
    """A bidirectional or arrow mark of which nothing says what it is: "list" it in the report, as a
    measurement without a finding, or "judge" it as a nodule. Other such measurements are listed."""
    max_diameter_mm: Annotated[float, Field(gt=0)] = 100.0
    """What reaches further is no nodule and refused."""
    max_nodules: Annotated[int, Field(gt=0)] = 500
    """A study in which more is marked is not analysed; what marks so much is no nodule list."""


class PriorsConfig(Section):
    """Growth: nodules that are marked in an earlier CT of the same patient too. It changes nothing
    of studies that are reported already."""

    enabled: bool = False
    """Whether reports tell how the volume of a nodule has changed since the latest earlier CT of
    the patient (Patient ID and issuer; birth date and sex where given) that this node has judged
    and still holds. The places were tried on scans that were moved and deformed, not yet on pairs
    of real ones."""


class ResultsConfig(Section):
    """The objects that this node writes. A change here makes new results of old studies."""

    report_series_number: Annotated[int, Field(ge=1, le=2_000_000_000)] = 9101
    """Series Number of the reports; where the CT's is not smaller, 99101, 999101, ..., so that no
    viewer that goes by the number opens a study on its results."""
    capture_series_number: Annotated[int, Field(ge=1, le=2_000_000_000)] = 9102
    """Series Number of the heat map captures; greater in the same way. What stands beside them
    follows."""
    max_frames: Annotated[int, Field(ge=2, le=57)] = 7
    """Most frames in the capture of one nodule: an overview, then slices with heat maps; of a
    nodule on more slices, some are left out evenly."""
    maps: MapStyle = MapStyle.OVERLAY
    """How a heat map is laid over the CT: "overlay" of colours, or "contour" lines, under which the
    nodule's margin stays visible."""
    max_capture_mb: Annotated[float, Field(gt=0)] = 64.0
    """Most megabytes of pixels in the capture of one nodule; frames are left out beyond it."""
    indeterminate_half_width: Annotated[float, Field(ge=0, le=0.5)] = 0.15
    """How far from the model's threshold a probability is indeterminate: 0.15 about 0.5 is 35 % to
    65 %, in which results take no side. A choice of the site's, not a measured interval."""
    report_pdf: bool = False
    """Every destination gets the report as a PDF too, whatever its companions. It changes nothing
    of what is said, and makes no new results."""
    device_serial: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "1"
    """Serial number that results name as the device's; tells several nodes apart."""


class ServeConfig(Section):
    """The supervisor of the processes."""

    drain_s: Seconds = 30.0
    """On SIGTERM, how long the processes may finish what they hold before they are killed."""


class LogConfig(Section):
    """What is written to standard error; no line names a patient."""

    format: Literal["auto", "human", "json"] = "auto"
    """"json" (one object a line), "human", or "auto": human where a terminal watches."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important level that is written."""


_EVERY_HOST = {"0.0.0.0", "::", ""}


class NodeConfig(Section):
    """The whole node."""

    receiver: ReceiverConfig = ReceiverConfig()
    web: WebConfig = WebConfig()
    study: StudyConfig = StudyConfig()
    storage: StorageConfig = StorageConfig()
    retention: RetentionConfig = RetentionConfig()
    database: DatabaseConfig = DatabaseConfig()
    model: ModelConfig = ModelConfig()
    worker: WorkerConfig = WorkerConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    pull: PullConfig = PullConfig()
    annotations: AnnotationsConfig = AnnotationsConfig()
    priors: PriorsConfig = PriorsConfig()
    results: ResultsConfig = ResultsConfig()
    watch: WatchConfig = WatchConfig()
    alerts: AlertsConfig = AlertsConfig()
    serve: ServeConfig = ServeConfig()
    log: LogConfig = LogConfig()
    destinations: tuple[DestinationConfig, ...] = ()
    sources: tuple[SourceConfig, ...] = ()

    @field_validator("destinations")
    @classmethod
    def _with_pdf(
        cls, destinations: tuple[DestinationConfig, ...], info: ValidationInfo
    ) -> tuple[DestinationConfig, ...]:
        results = info.data.get("results")
        if results is None or not results.report_pdf:
            return destinations
        return tuple(
            each.model_copy(
                update={"companions": tuple(dict.fromkeys((*each.settled().companions, "pdf")))}
            )
            if isinstance(each, DicomDestination)
            else each
            for each in destinations
        )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for what, peers in (("destinations", self.destinations), ("sources", self.sources)):
            repeated = [n for n, k in Counter(peer.name for peer in peers).items() if k > 1]
            if repeated:
                raise ValueError(f"two {what} are called {repeated[0]!r}; rename one")
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        hosts = {self.web.host, self.receiver.host}
        if self.web.enabled and (len(hosts) == 1 or hosts & _EVERY_HOST):
            for key, port in self.receiver.ports.items():
                if port == self.web.port:
                    raise ValueError(f"web.port and {key} are the same; choose two")
        return self
