"""Destinations, which results are sent to: of each kind, how it is called and what it gets."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from node.config.peers import DimsePeer, HostPeer, Peer, WebPeer
from node.config.profiles import PROFILES, CompanionName, Compression, Profile, ProfileName
from node.config.section import Host, Port, WebAddress
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.variants import Wishes


class DicomDestination(Peer):
    """Somebody who keeps DICOM objects."""

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


class DimseDestination(DicomDestination, DimsePeer):
    """A PACS or viewer that takes results over C-STORE."""

    kind: Literal["dimse"] = "dimse"
    """C-STORE."""


class DicomwebDestination(DicomDestination, WebPeer):
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


class Hl7Destination(_ToldDestination, HostPeer):
    """A RIS that is told the report in HL7 v2 over MLLP: an ORU^R01."""

    kind: Literal["hl7"] = "hl7"
    """ORU^R01 2.5.1."""
    host: Host = Field(examples=["ris.example"])
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
