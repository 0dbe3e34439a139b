"""The files of one analysed study: its objects, the captures' frames as PNG, the document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image
from pydicom import Dataset

from node.core.results import Artifact, ArtifactKind, Results
from node.dicom.compression import compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFiles:
    """What lies in the study's folder.

    contents  : per name
    of_nodule : per tracking UID the names of its files
    """

    contents: Mapping[str, bytes]
    of_nodule: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def study_files(results: Results) -> StudyFiles:
    """The study's report and captures under plain names; "nodule-2" is the second of its lines."""
    numbers = {nodule.tracking_uid: n for n, nodule in enumerate(results.nodules, start=1)}
    contents: dict[str, bytes] = {}
    of_nodule: dict[str, tuple[str, ...]] = {}
    for artifact in results.artifacts:
        stem = _stem(artifact, numbers)
        name = f"{stem}.dcm"
        for number in range(2, len(results.artifacts) + 1):
            if name not in contents:
                break
            name = f"{stem}-{number}.dcm"
        made = {name: _encoded(artifact.dataset)}
        if artifact.kind is ArtifactKind.CAPTURE:
            made |= _frames(artifact.dataset, name.removesuffix(".dcm"))
        elif artifact.kind is ArtifactKind.PDF:
            made["report.pdf"] = _document(artifact.dataset)
        contents |= made
        if artifact.tracking_uid is not None:
            of_nodule[artifact.tracking_uid] = (*of_nodule.get(artifact.tracking_uid, ()), *made)
    return StudyFiles(contents=contents, of_nodule=of_nodule)


def _stem(artifact: Artifact, numbers: Mapping[str, int]) -> str:
    if artifact.tracking_uid is None:
        return artifact.kind.value
    nodule = f"nodule-{numbers[artifact.tracking_uid]}"
    kind = artifact.kind
    return nodule if kind is ArtifactKind.CAPTURE else f"{nodule}-{kind.value}"


def _encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    compressed(dataset).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _document(dataset: Dataset) -> bytes:
    return bytes(dataset.EncapsulatedDocument)[: int(dataset.EncapsulatedDocumentLength)]


def _frames(capture: Dataset, stem: str) -> dict[str, bytes]:
    pixels = capture.pixel_array
    frames = pixels if pixels.ndim == 4 else pixels[None]
    made = {}
    for number, frame in enumerate(frames, start=1):
        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, format="PNG", compress_level=6)
        made[f"{stem}-{number:02d}.png"] = buffer.getvalue()
    return made
