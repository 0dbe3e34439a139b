"""The report as a document, for PACS that show nothing else: Encapsulated PDF (PS3.3 A.45.1).

It says what the structured report says, in the same words.  Unlike the captures it names the
patient on every page, and Burned In Annotation says YES: a document is printed, mailed and laid
beside another one, where no viewer's header tells any more whose it is.  Whoever de-identifies by
the header alone is told by that attribute that this does not suffice (PS3.3 C.24.2).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from sr_templates import codes
from sr_templates.band import Band
from sr_templates.envelope import (
    RESEARCH_USE,
    coded,
    finish,
    new_object,
    reference,
)
from sr_templates.findings import Algorithm, NoduleFinding, ObjectIdentity, ReportContent
from sr_templates.objects.measurement_report import first_line
from sr_templates.pdf.pages import Nodule, Pages, set_pages
from sr_templates.pdf.text import whose
from sr_templates.probability import UNTRAINED, percent_text
from sr_templates.spoken import image_in_words, lung_in_words, size_in_words

SERIES_DESCRIPTION = "AI nodule report, PDF (research use)"
TITLE = "AI nodule report"


def build_encapsulated_pdf(
    *,
    content: ReportContent,
    names: Mapping[str, str],
    pictures: Mapping[str, Sequence[NDArray[np.uint8]]],
    sources: Sequence[Dataset],
    band: Band | None,
    revision: str,
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
) -> Dataset:
    """The report as a PDF in a DICOM object; the same arguments, the same bytes.

    names    : per tracking UID what the nodule is called where it must not name the patient
    pictures : per tracking UID pages of its capture, (rows, columns, 3) uint8 each
    sources  : headers of the slices that findings are drawn on
    revision : which revision it is, and what it replaces
    """
    document = new_object(
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        series_description=SERIES_DESCRIPTION,
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )
    owner = whose(subject)
    document.ConversionType = "WSD"
    document.AcquisitionDateTime = ""
    document.BurnedInAnnotation = "YES" if owner else "NO"
    document.RecognizableVisualFeatures = "NO"
    document.DocumentTitle = TITLE
    document.ConceptNameCodeSequence = [coded(codes.DRAWN_REPORT)]
    document.VerificationFlag = "UNVERIFIED"
    seen = {str(source.SOPInstanceUID): source for source in sources}
    if seen:
        document.SourceInstanceSequence = [reference(source) for source in seen.values()]
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    pages = Pages(
        title=TITLE,
        whose=owner,
        warning="" if algorithm.trained or not content.nodules else UNTRAINED,
        research_use=f"{RESEARCH_USE}.",
        revision=revision,
        headline=first_line(content, algorithm),
        nodules=[
            _nodule(nodule, names, pictures.get(nodule.tracking_uid, ()), band, algorithm)
            for nodule in content.nodules
        ],
        refused=[
            (names.get(each.tracking_uid, each.tracking_id), each.reason)
            for each in content.refused
        ],
        remarks=tuple(content.remarks),
        made_by=f"{algorithm.name} {algorithm.version}, {algorithm.device_model} "
        f"{algorithm.software_version}",
    )
    pdf = set_pages(pages)
    document.EncapsulatedDocumentLength = len(pdf)
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    finish(document)
    return document


def _nodule(
    nodule: NoduleFinding,
    names: Mapping[str, str],
    pictures: Sequence[NDArray[np.uint8]],
    band: Band | None,
    algorithm: Algorithm,
) -> Nodule:
    name = names.get(nodule.tracking_uid, nodule.tracking_id)
    told = percent_text(nodule.probability) if algorithm.trained else UNTRAINED
    marked = "-" if nodule.diameter_mm is None else f"{nodule.diameter_mm:.0f} mm as marked"
    place = (lung_in_words(nodule.location), image_in_words(nodule.location))
    return Nodule(
        name=name,
        cells=(
            told,
            "-" if band is None else band.in_words(nodule.probability),
            "; ".join(part for part in place if part) or "-",
            size_in_words(nodule.measurements) or marked,
        ),
        facts=(nodule.comment,),
        pictures=pictures,
    )
