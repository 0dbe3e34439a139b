"""The key slices of a study's nodules, chosen among the CT's: a Key Object Selection (TID 2010).

One document for the study (PS3.3 A.35.4): titled "Of Interest", its description in the report's
words, and the CT slices or frames on which the report draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highdicom as hd
from highdicom.sr import RelationshipTypeValues as Relation
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, KeyObjectSelectionDocumentStorage

from sr_templates import codes
from sr_templates.envelope import RESEARCH_USE, evidence_items, finish, new_object
from sr_templates.findings import Algorithm, ImageReference, NoduleFinding, ObjectIdentity
from sr_templates.objects.documents import device_observer, refer_to_requests
from sr_templates.probability import UNTRAINED, percent_text

SERIES_DESCRIPTION = "AI nodule key slices (research use)"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyImage:
    """A nodule, its name, and the header of the image that holds its key slice.

    name : its tracking identifier, or what stands for one that names the patient
    """

    finding: NoduleFinding
    name: str
    header: Dataset


def build_key_objects(
    key_images: Sequence[KeyImage],
    *,
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
) -> Dataset:
    """The key slices, each once, in the order of the nodules; the same arguments, the same bytes.

    Raises ValueError if there is no nodule.
    """
    if not key_images:
        raise ValueError("no nodule: there is no key slice to select")
    headers = {str(each.header.SOPInstanceUID): each.header for each in key_images}
    images = list(dict.fromkeys(each.finding.region.image for each in key_images))
    return build_selection(
        title=codes.OF_INTEREST,
        description=_description(key_images, algorithm),
        items=[_image(image) for image in images],
        evidence=list(headers.values()),
        series_description=SERIES_DESCRIPTION,
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )


def build_selection(
    *,
    title: Code,
    description: str,
    items: Sequence[hd.sr.ContentItem],
    evidence: Sequence[Dataset],
    series_description: str,
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
) -> Dataset:
    """A document of TID 2010 under this title.

    items    : IMAGE and COMPOSITE items, below the root
    evidence : what they refer to, with its study and series
    """
    selection = new_object(
        sop_class_uid=KeyObjectSelectionDocumentStorage,
        modality="KO",
        series_description=series_description,
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )
    selection.ReferencedPerformedProcedureStepSequence = []
    refer_to_requests(selection)
    selection.CurrentRequestedProcedureEvidenceSequence = evidence_items(evidence)
    root: Dataset = hd.sr.ContainerContentItem(
        name=title, is_content_continuous=False, template_id="2010"
    )
    root.ContentSequence = [
        *device_observer(algorithm),
        hd.sr.TextContentItem(
            codes.KEY_OBJECT_DESCRIPTION, description, relationship_type=Relation.CONTAINS
        ),
        *items,
    ]
    for element in root:
        selection.add(element)
    for item in selection.ContentSequence:
        if item.ValueType in ("IMAGE", "COMPOSITE"):
            # TID 2010 gives them no name; highdicom makes none without.
            del item.ConceptNameCodeSequence
    finish(selection)
    return selection


def composite_or_image(sop_class_uid: str, sop_instance_uid: str) -> hd.sr.ContentItem:
    """A selected object, whatever it is."""
    is_image = "Image Storage" in UID(sop_class_uid).name
    kind = hd.sr.ImageContentItem if is_image else hd.sr.CompositeContentItem
    return kind(codes.SOURCE, sop_class_uid, sop_instance_uid, relationship_type=Relation.CONTAINS)


def _image(image: ImageReference) -> hd.sr.ContentItem:
    return hd.sr.ImageContentItem(
        codes.SOURCE,
        image.sop_class_uid,
        image.sop_instance_uid,
        None if image.frame_number is None else [image.frame_number],
        relationship_type=Relation.CONTAINS,
    )


def _description(key_images: Sequence[KeyImage], algorithm: Algorithm) -> str:
    """ "Probability of malignancy on these slices: Nodule 1: 87 %; Nodule 2: < 5 %."."""
    said = [
        f"{each.name}: {percent_text(each.finding.probability)}" if algorithm.trained else each.name
        for each in key_images
    ]
    what = "Probability of malignancy on these slices" if algorithm.trained else UNTRAINED
    return f"{what}: {'; '.join(said)}. {RESEARCH_USE}."
