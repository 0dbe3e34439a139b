"""What a report says of where its images are (PS3.3 C.17.2.3, Evidence Sequences)."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydicom import Dataset

from m3net.annotations.attributes import items, uid
from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The report's images by study.

    elsewhere : of other studies; they will not come with this one
    series_of : the series of this study's
    classes   : the SOP Classes of all
    """

    elsewhere: frozenset[SOPInstanceUID]
    series_of: Mapping[SOPInstanceUID, SeriesInstanceUID]
    classes: frozenset[SOPClassUID]


def evidence_of(dataset: Dataset) -> Evidence:
    """What the report's evidence sequences name.

    Raises AnnotationUnusable if they are none.
    """
    elsewhere: set[SOPInstanceUID] = set()
    series_of: dict[SOPInstanceUID, SeriesInstanceUID] = {}
    classes: set[SOPClassUID] = set()
    for keyword in (
        "CurrentRequestedProcedureEvidenceSequence",
        "PertinentOtherEvidenceSequence",
    ):
        for study in items(dataset, keyword):
            here = uid(study, "StudyInstanceUID") == uid(dataset, "StudyInstanceUID")
            for series in items(study, "ReferencedSeriesSequence"):
                for reference in items(series, "ReferencedSOPSequence"):
                    instance = SOPInstanceUID(uid(reference, "ReferencedSOPInstanceUID"))
                    classes.add(SOPClassUID(uid(reference, "ReferencedSOPClassUID")))
                    if here:
                        series_of[instance] = SeriesInstanceUID(uid(series, "SeriesInstanceUID"))
                    else:
                        elsewhere.add(instance)
    return Evidence(
        elsewhere=frozenset(elsewhere),
        series_of=series_of,
        classes=frozenset(classes - {SOPClassUID("")}),
    )
