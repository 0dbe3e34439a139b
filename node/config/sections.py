"""One frozen model a section: keys, defaults, and the sentence that explains each.

The docstrings under the fields are what `m3node init` writes into node.toml.  Every key has a
default except where a destination is.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.networks import IPvAnyNetwork

from node.config.peers import DimsePeer, Peer, WebPeer
from node.config.profiles import PROFILES, CompanionName, Compression, Profile, ProfileName
from node.config.section import (
    AETitle,
    Attempts,
    Lease,
    Port,
    Seconds,
    Section,
    WebAddress,
    formed,
)
from node.config.sources import PullConfig, SourceConfig
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.retry import FailureKind, RetryPolicy
from node.core.variants import Wishes
from sr_templates.character_sets import is_known
from sr_templates.pictures.capture_view import MapStyle


def _known_character_set(term: str) -> str:
    if not is_known(term):
        raise ValueError("no defined term of PS3.3 C.12.1.1.2, such as ISO_IR 100 or GB18030")
    return term


CharacterSet = Annotated[str, AfterValidator(_known_character_set)]
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


_SQLITE = "sqlite:///"


def _database_beside(url: str, info: ValidationInfo) -> str:
    if not isinstance(info.context, Path) or not url.startswith(_SQLITE) or ":memory:" in url:
        return url
    return _SQLITE + str(info.context / url.removeprefix(_SQLITE))


DatabaseURL = Annotated[str, AfterValidator(_database_beside)]
"""An SQLAlchemy URL; the file of an SQLite database is a path like any other."""


class ReceiverTLSConfig(Section):
    """DICOM over TLS, beside the plain port or instead of it. Without this table there is none. Its
    files are read again when they change."""

    port: Port = 2762
    """TCP port to listen on for TLS."""
    certificate_file: Path = Field(examples=["m3node-certificate.pem"])
    """PEM file of this node's certificate and those that sign it. `m3node health` calls as its
    holder, so it should be good for clients too."""
    key_file: Path | None = Field(default=None, examples=["m3node-key.pem"])
    """PEM file of its private key, without a passphrase; absent: in certificate_file."""
    ca_file: Path | None = Field(default=None, examples=["hospital-ca.pem"])
    """PEM file of the authorities that sign the senders' certificates, or of these themselves."""
    client_certificate: Literal["required", "optional", "none"] = "required"
    """Whether a sender has to show a certificate that ca_file vouches for. "optional": it need not,
    but one that it shows has to be good."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    """Oldest version of TLS that is accepted."""

    @model_validator(mode="after")
    def _can_judge_certificates(self) -> Self:
        if self.client_certificate != "none" and self.ca_file is None:
            raise ValueError(
                f'client_certificate = "{self.client_certificate}" needs a ca_file to judge it by; '
                'name one, or write client_certificate = "none"'
            )
        return self


class ReceiverConfig(Section):
    """The Storage SCP: what scanners and the PACS send to."""

    ae_title: AETitle = "M3NODE"
    """AE title under which this node answers; 16 characters at most."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 listens on every IPv4 interface."""
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    """TCP port to listen on; 0: none, where receiver.tls has one."""
    accept: Literal["all", "listed"] = "all"
    """Storage SOP classes to accept: "all" of the Standard, or only the "listed" ones that this
    node interprets (CONFORMANCE.md). A PACS that routes whole studies wants "all"."""
    allowed_called_ae_titles: tuple[AETitle, ...] | None = Field(
        default=None, examples=[["M3NODE"]]
    )
    """Called AE titles to answer to; absent: every title."""
    allowed_calling_ae_titles: tuple[AETitle, ...] | None = Field(
        default=None, examples=[["CT1", "PACS"]]
    )
    """Calling AE titles to accept; absent: everyone (`m3node check` warns)."""
    allowed_peers: tuple[IPvAnyNetwork, ...] | None = Field(
        default=None, examples=[["10.1.0.0/16", "192.168.7.12"]]
    )
    """Addresses or networks to accept; absent: everyone (`m3node check` warns)."""
    max_associations: Annotated[int, Field(ge=1)] = 32
    """Associations served at the same time; the next one is rejected as transient."""
    max_associations_of_one_peer: Annotated[int, Field(ge=1)] | None = Field(
        default=None, examples=[24]
    )
    """Of these, so many from one address at most, so that it cannot take them all; absent: three
    quarters. Where every sender is behind one address (NAT, a proxy), as many as max_associations.
    """
    max_pdu_bytes: Annotated[int, Field(ge=4096, le=1 << 24)] = 131072
    """Largest PDU that senders may use."""
    network_timeout_s: Seconds = 60.0
    """A sender that is silent for so long in the middle of an association is aborted."""
    max_object_mb: Annotated[int, Field(ge=1)] = 4096
    """Largest object that is taken, MiB; of a deflated one, what it inflates to."""
    assumed_character_set: CharacterSet | None = Field(default=None, examples=["ISO_IR 100"])
    """Specific Character Set of senders that declare none and yet send text outside ASCII; absent:
    such text is copied into results byte for byte, as undeclared as it came."""
    tls: ReceiverTLSConfig | None = None

    @property
    def most_of_one_peer(self) -> int:
        """Associations that one address may have open."""
        return self.max_associations_of_one_peer or -(-3 * self.max_associations // 4)

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened on, by their keys."""
        plain = {"receiver.port": self.port} if self.port else {}
        secured = {"receiver.tls.port": self.tls.port} if self.tls is not None else {}
        return plain | secured

    @model_validator(mode="after")
    def _listens_somewhere(self) -> Self:
        if not self.ports:
            raise ValueError("port = 0 leaves no port to listen on, since there is no receiver.tls")
        if len(self.ports) > len(set(self.ports.values())):
            raise ValueError("port and tls.port are the same; choose two, or port = 0")
        return self


class WebConfig(Section):
    """DICOMweb, and the node's health, over HTTP."""

    enabled: bool = True
    """Whether it is served."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 listens on every IPv4 interface."""
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
    """Addresses or networks that are answered; absent: everyone (`m3node check` warns where others
    than this machine can reach it). Behind a proxy the address is the proxy's."""
    allowed_origins: tuple[Origin, ...] = ()
    """Origins of web pages elsewhere that may read the answers, such as "https://viewer.example";
    compared as they are written."""

    public_url: PublicURL | None = Field(
        default=None, examples=["https://pacs.example/m3node/dicom-web"]
    )
    """Where clients find DICOMweb if a proxy stands before it: answers hold addresses. Absent: at
    the host that the request names. What proxies say of themselves is not heeded."""

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Self:
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file is of no use without certificate_file")
        return self


class StudyConfig(Section):
    """When a study is complete."""

    quiet_period_s: Annotated[float, Field(ge=0)] = 60.0
    """A study is quiet when nothing came for so long and no association to it is open."""
    max_wait_s: Annotated[float, Field(ge=0)] = 1800.0
    """Longest wait, from the last arrival, for instances that an annotation refers to."""
    when_unannotated: Literal["wait", "report"] = "wait"
    """A CT without an annotation: "wait" for one, or "report" that nothing was assessed."""
    look_every_s: Seconds = 0.5
    """How often the scheduler looks at the open studies."""


class StorageConfig(Section):
    """Where received objects and results lie: one local disk."""

    directory: Path = Path("data")
    """Folder of the received objects and the results; made if it is missing. One running node for
    each folder."""
    min_free_gb: Annotated[float, Field(ge=0)] = 2.0
    """Below so much free space a C-STORE is answered with A700, Out of Resources."""


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


class _Destination(Peer):
    profile: ProfileName = "standard"
    """What it is, which decides the settings below where they are left out: "standard", a PACS;
    "ohif", "weasis", one behind which that viewer reads; "basic", one that shows single images and
    documents only. `m3node check` says what each comes to."""
    report: Literal["auto"] | ReportVariant | None = Field(default=None, examples=["auto"])
    """"comprehensive_3d" (SR .88.34), "comprehensive" (.88.33), or "auto": the former, and the
    latter where the destination rejects it."""
    captures: Literal["auto"] | CaptureVariant | None = Field(default=None, examples=["auto"])
    """"multi_frame" (one object a nodule), "single_frame" (its first frame and its key slice, an
    object each), or "auto": the former, and the latter where the destination rejects it."""
    compression: Compression | None = Field(default=None, examples=["accepted"])
    """"accepted": pictures travel in JPEG-LS Lossless where the destination takes that, with the
    very same pixels; "never": always uncompressed."""
    companions: tuple[CompanionName, ...] | None = Field(
        default=None, examples=[["presentation_state", "key_objects"]]
    )
    """What it gets beside report and captures: "presentation_state" (outlines on the CT, GSPS),
    "key_objects" (the key slices, KOS), "pdf" (the report as a document), "parametric_map" (the
    heat maps as numbers). What it does not take is left out, and the diary says so."""
    reject_superseded: bool | None = Field(default=None, examples=[False])
    """Whether a rejection note (KOS, IHE IOCM) hides the earlier results that it holds once a newer
    set is stored there."""

    def settled(self) -> Profile:
        """The settings, those that are left out as the profile has them."""
        own = {
            each.name: value
            for each in fields(Profile)
            if (value := getattr(self, each.name)) is not None
        }
        return replace(PROFILES[self.profile], **own)

    def wishes(self) -> Wishes:
        """What it is to get, and in which form."""
        settled = self.settled()
        return Wishes(
            report=settled.report,
            captures=settled.captures,
            companions=frozenset(map(ArtifactKind, settled.companions)),
        )

    @property
    def compressed(self) -> bool:
        """Whether pictures may travel compressed."""
        return self.settled().compression == "accepted"


class DimseDestination(_Destination, DimsePeer):
    """A PACS or viewer that takes results over C-STORE."""

    kind: Literal["dimse"] = "dimse"
    """C-STORE."""


class DicomwebDestination(_Destination, WebPeer):
    """A PACS that takes results over DICOMweb (STOW-RS)."""

    kind: Literal["dicomweb"] = "dicomweb"
    """STOW-RS."""


class _ToldDestination(Peer):
    """Somebody who is told in words what the report says, and keeps no DICOM."""

    def settled(self) -> Profile:
        """As a PACS that gets nothing beside the report, of which this is read."""
        return Profile()

    def wishes(self) -> Wishes:
        """The report in its richest form."""
        return Wishes(report="auto", captures="auto")


class FhirDestination(_ToldDestination):
    """A RIS or EHR that is told the report in FHIR R4: one DiagnosticReport a study."""

    kind: Literal["fhir"] = "fhir"
    """A transaction Bundle."""
    url: WebAddress = Field(examples=["https://ris.example/fhir"])
    """Base URL of the FHIR service."""
    headers_file: Path | None = Field(default=None, examples=["ris-headers"])
    """File of "Name: value" lines that are sent with each request, such as Authorization."""
    ca_file: Path | None = Field(default=None, examples=["hospital-ca.pem"])
    """PEM file of the authorities that sign its certificate; absent: the system's."""
    patient_id_system: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, examples=["urn:oid:1.2.36.146.595.217.0.1"]
    )
    """The namespace of Patient ID as that service knows it; absent: named by its issuer alone."""


HL7Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=180)]


class Hl7Destination(_ToldDestination):
    """A RIS that is told the report in HL7 v2 over MLLP: an ORU^R01, unencrypted."""

    kind: Literal["hl7"] = "hl7"
    """ORU^R01 2.5.1."""
    host: Annotated[str, StringConstraints(min_length=1)] = Field(examples=["ris.example"])
    """Host name or address."""
    port: Port = Field(examples=[2575])
    """TCP port."""
    sending_application: HL7Name = "M3NODE"
    """MSH-3."""
    sending_facility: HL7Name = ""
    """MSH-4."""
    receiving_application: HL7Name = ""
    """MSH-5."""
    receiving_facility: HL7Name = ""
    """MSH-6."""


DestinationConfig = Annotated[
    DimseDestination | DicomwebDestination | FhirDestination | Hl7Destination,
    Field(discriminator="kind"),
]


def as_destination(receiver: ReceiverConfig) -> DimseDestination:
    """This node's own receiver as a destination, called as somebody whom it lets in."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(receiver.host, receiver.host)
    tls = None if receiver.port else receiver.tls
    asked = tls is not None and tls.client_certificate != "none"
    return DimseDestination(
        name="self",
        host=host,
        port=receiver.port if tls is None else tls.port,
        tls=tls is not None,
        ca_file=None if tls is None else tls.certificate_file,
        server_name=None if tls is None else "",
        certificate_file=tls.certificate_file if tls is not None and asked else None,
        key_file=tls.key_file if tls is not None and asked else None,
        ae_title=(receiver.allowed_called_ae_titles or (receiver.ae_title,))[0],
        calling_ae_title=(receiver.allowed_calling_ae_titles or (receiver.ae_title,))[0],
        timeout_s=10,
    )


_EVERY_HOST = {"0.0.0.0", "::", ""}


class NodeConfig(Section):
    """The whole node."""

    receiver: ReceiverConfig = ReceiverConfig()
    web: WebConfig = WebConfig()
    study: StudyConfig = StudyConfig()
    storage: StorageConfig = StorageConfig()
    database: DatabaseConfig = DatabaseConfig()
    model: ModelConfig = ModelConfig()
    worker: WorkerConfig = WorkerConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    pull: PullConfig = PullConfig()
    annotations: AnnotationsConfig = AnnotationsConfig()
    results: ResultsConfig = ResultsConfig()
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
            if isinstance(each, _Destination)
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
