"""What stands beside report and captures where a destination asks for it.

A companion says what the report says, in a form that some viewer shows better.  It refers to the CT
alone, so it is the same whatever form report and captures have.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydicom import Dataset

from m3net.ct.pixels import read_stored_pixels
from m3net.ct.series import slice_headers
from m3net.uids import FrameKey, SOPInstanceUID
from node.core.findings import DescribedNodule
from node.core.results import Artifact, ArtifactKind
from sr_templates.band import Band
from sr_templates.character_sets import UNREADABLE
from sr_templates.findings import Algorithm, ObjectIdentity, ReportContent
from sr_templates.objects.key_objects import KeyImage, build_key_objects
from sr_templates.objects.parametric_map import HeatVolume, build_parametric_map
from sr_templates.objects.presentation_state import (
    Drawn,
    KeySlice,
    build_presentation_state,
    split_by_state,
)
from sr_templates.pdf.document import build_encapsulated_pdf
from sr_templates.spoken import counted

MOST_PICTURED = 20
"""Nodules with pictures in the document, the highest probabilities first: 300 kB each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What was made.

    left_out : one phrase for each kind that was asked for and could not be made
    """

    artifacts: tuple[Artifact, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """Makes the companions of one report.

    described   : the judged nodules
    names       : per tracking UID of any nodule its name, which does not name the patient
    method      : how the heat maps are made
    revision    : which revision of the report it is, in words
    identity_of : of the object with this number, from 0, of a kind
    """

    content: ReportContent
    described: Sequence[DescribedNodule]
    names: Mapping[str, str]
    band: Band | None
    method: str
    revision: str
    subject: Dataset
    algorithm: Algorithm
    identity_of: Callable[[ArtifactKind, int], ObjectIdentity]

    def build(self, kinds: Collection[ArtifactKind]) -> Built:
        """Those that are asked for; a study without a judged nodule has none but the PDF.

        One that cannot be made of this CT's header keeps no report from being written.
        """
        makers: Mapping[ArtifactKind, Callable[[], Iterator[Artifact]]] = {
            ArtifactKind.PRESENTATION_STATE: self._presentation_states,
            ArtifactKind.KEY_OBJECTS: self._key_objects,
            ArtifactKind.PDF: self._pdf,
            ArtifactKind.PARAMETRIC_MAP: self._parametric_maps,
        }
        made: list[Artifact] = []
        left_out: list[str] = []
        for kind in [kind for kind in makers if kind in kinds]:
            try:
                made += list(makers[kind]())
            except UNREADABLE as error:
                left_out.append(f"{kind} could not be made ({type(error).__name__})")
        return Built(artifacts=tuple(made), left_out=tuple(left_out))

    def _presentation_states(self) -> Iterator[Artifact]:
        kind = ArtifactKind.PRESENTATION_STATE
        images = {str(nodule.key.SOPInstanceUID): nodule.key for nodule in self.described}
        slices = {uid: slice_headers(image) for uid, image in images.items()}
        drawn = [
            Drawn(
                finding=nodule.finding,
                name=nodule.name,
                slice=_key_slice(nodule, slices[nodule.finding.region.image.sop_instance_uid]),
            )
            for nodule in self.described
        ]
        for number, group in enumerate(split_by_state(drawn)):
            state = build_presentation_state(
                group,
                subject=self.subject,
                algorithm=self.algorithm,
                identity=self.identity_of(kind, number),
            )
            yield Artifact(kind=kind, dataset=state)

    def _key_objects(self) -> Iterator[Artifact]:
        if not self.described:
            return
        kind = ArtifactKind.KEY_OBJECTS
        selection = build_key_objects(
            [
                KeyImage(finding=nodule.finding, name=nodule.name, header=nodule.key)
                for nodule in self.described
            ],
            subject=self.subject,
            algorithm=self.algorithm,
            identity=self.identity_of(kind, 0),
        )
        yield Artifact(kind=kind, dataset=selection)

    def _pdf(self) -> Iterator[Artifact]:
        kind = ArtifactKind.PDF
        further = len(self.described[MOST_PICTURED:])
        remarks = self.content.remarks
        if further:
            nodules = counted(further, "further nodule")
            remarks = (*remarks, f"The captures have the pictures of {nodules}.")
        document = build_encapsulated_pdf(
            content=replace(self.content, remarks=remarks),
            names=self.names,
            pictures={
                nodule.finding.tracking_uid: [
                    nodule.frames[0].rgb,
                    *(frame.rgb for frame in nodule.frames[1:] if frame.key),
                ]
                for nodule in self.described[:MOST_PICTURED]
            },
            sources=[nodule.key for nodule in self.described],
            band=self.band,
            revision=self.revision,
            subject=self.subject,
            algorithm=self.algorithm,
            identity=self.identity_of(kind, 0),
        )
        yield Artifact(kind=kind, dataset=document)

    def _parametric_maps(self) -> Iterator[Artifact]:
        kind = ArtifactKind.PARAMETRIC_MAP
        maps = [
            (nodule, scale, heat)
            for nodule in self.described
            for scale, heat in nodule.judged.prediction.heat_maps.items()
        ]
        for number, (nodule, scale, heat) in enumerate(maps):
            made = build_parametric_map(
                HeatVolume(
                    name=nodule.name,
                    scale=scale.value,
                    method=self.method,
                    values=heat.values,
                    affine=heat.affine,
                    frame_of_reference_uid=nodule.judged.placed.volume.frame_of_reference_uid,
                    has_depth=heat.has_depth,
                ),
                sources=[nodule.key],
                subject=self.subject,
                algorithm=self.algorithm,
                identity=self.identity_of(kind, number),
            )
            yield Artifact(kind=kind, dataset=made, tracking_uid=nodule.finding.tracking_uid)


def _key_slice(nodule: DescribedNodule, slices: Mapping[FrameKey, Dataset]) -> KeySlice:
    """slices : header of each slice that the nodule's image holds"""
    image = nodule.finding.region.image
    frame = FrameKey(SOPInstanceUID(image.sop_instance_uid), image.frame_number or 1)
    stored = read_stored_pixels(slices[frame])
    between_rows, between_columns = nodule.judged.placed.volume.spacing_mm[1:]
    return KeySlice(
        header=nodule.key,
        rescale=(stored.slope, stored.intercept),
        spacing_mm=(between_rows, between_columns),
    )
