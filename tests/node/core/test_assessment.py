"""How an analysis ended, by what was judged and what was not; whatever the headers say."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.predict import TorchClassifier
from m3net.uids import StudyInstanceUID
from m3net.volume import CTVolume
from m3net.weights import load_classifier
from node.core.assessment import Assessment, _some_of, assess
from node.core.errors import Refused
from node.core.fetching import SourceCount
from node.core.objects import Stamp
from node.core.pipeline import analyse, report_failure
from node.core.selection import select
from node.inbound.facts import read_facts
from sr_templates.findings import Outcome
from sr_templates.identity import IDENTITY_KEYWORDS
from tests import synthetic
from tests.m3net.ct.test_series import READ_OF_A_SLICE
from tests.node.core.test_pipeline import SETTINGS, SHAPE, Files, files, in_bytes, mask, run
from tests.odd import ODD_VALUES, write


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("untrained", device="cpu")


def on_a_rib(ct: list[Dataset]) -> Dataset:
    """A mark that fills two slices of the whole image: more than any nodule."""
    marked = np.zeros(SHAPE, bool)
    marked[5:55, 10:12, 10:12] = True
    return synthetic.segmentation(ct, [marked], name="rib")


def test_one_refused_and_one_unread_are_two_that_were_not_judged(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    lying = synthetic.segmentation(ct, [mask(slice(20, 23))], name="lying")
    del lying.PerFrameFunctionalGroupsSequence
    given = files(tmp_path, ct, on_a_rib(ct), lying)
    results = run(given, classifier)
    assert results.outcome is Outcome.NOT_ANALYSED
    assert "what is marked is 122 mm long, expected 100 mm at most" in results.headline


def test_a_mark_on_an_image_that_was_left_out_takes_no_other_annotations_nodule_with_it(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    stray = dcmread(BytesIO(in_bytes(ct[21])))
    stray.SOPInstanceUID = synthetic.uid("stray")
    del stray.ImagePositionPatient
    ours = synthetic.segmentation(ct, [mask(slice(20, 23))], name="ours")
    theirs = synthetic.segmentation(ct, [mask(slice(40, 43))], name="theirs")
    drawn_on = theirs.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    drawn_on.SourceImageSequence[0].ReferencedSOPInstanceUID = stray.SOPInstanceUID
    given = files(tmp_path, [*ct, stray], ours, theirs)
    assessed = assess(given.inputs, paths=given.paths, classifier=classifier)
    (judged,) = assessed.judged
    assert [source.sop_instance_uid for source in judged.placed.nodule.sources] == [
        ours.SOPInstanceUID
    ]
    assert [refused.reason for refused in assessed.refused] == [
        "it is drawn on images of the CT series that were left out: they have no place in the "
        "patient"
    ]


def test_a_bound_on_the_extent_is_the_callers(tmp_path: Path, classifier: TorchClassifier) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    given = files(tmp_path, ct, synthetic.segmentation(ct, [mask(slice(20, 23))]))
    judged = assess(given.inputs, paths=given.paths, classifier=classifier)
    assert (judged.outcome, len(judged.refused)) == (Outcome.ANALYSED, 0)
    refused = assess(given.inputs, paths=given.paths, classifier=classifier, max_diameter_mm=4.0)
    assert (refused.outcome, len(refused.refused)) == (Outcome.NOT_ANALYSED, 1)


def test_more_marks_than_anybody_means_are_not_judged_and_the_report_says_so(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    two = [mask(slice(20, 23)), mask(slice(30, 33))]
    given = files(tmp_path, ct, synthetic.segmentation(ct, two))
    results = analyse(
        given.inputs,
        paths=given.paths,
        classifier=classifier,
        stamp=given.stamp,
        settings=replace(SETTINGS, max_nodules=1),
    )
    assert results.headline == (
        "Not analysed: the annotations mark 2 nodules, and at most 1 are judged in a study; look "
        "whether they are meant, and raise annotations.max_nodules if so."
    )
    both = assess(given.inputs, paths=given.paths, classifier=classifier, max_nodules=2)
    assert (both.outcome, len(both.judged)) == (Outcome.ANALYSED, 2)


@pytest.mark.parametrize(
    ("count", "more"),
    [
        (0, []),
        (20, []),
        (21, ["1 more such remark."]),
        (22, ["2 more such remarks."]),
    ],
)
def test_of_many_remarks_twenty_are_made_and_the_rest_counted(count: int, more: list[str]) -> None:
    remarks = [f"Measurement group {number} marks no place." for number in range(count)]
    assert list(_some_of(remarks)) == [*remarks[:20], *more]


def test_a_mark_in_tissue_is_refused_and_a_doubtful_one_says_so_first(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    density = np.full(SHAPE, 40)
    density[30:, :, :] = -850
    density[40:43, 10:14, 6:10] = 40
    ct = synthetic.ct_series(shape=SHAPE, hu=density)
    seg = synthetic.segmentation(
        ct, [mask(slice(10, 13)), mask(slice(26, 29)), mask(slice(40, 43))]
    )
    results = run(files(tmp_path, ct, seg), classifier)
    assert [n.reason for n in results.nodules] == [
        None,
        None,
        "it is not marked in the lung: 0 % of what lies 2 to 8 mm beyond it are between -1000 and "
        "-500 HU, expected 10 % or more",
    ]
    assert "DOUBTFUL: Nodule 2: only " in results.headline
    assert "Nodule 3" not in results.headline.partition("DOUBTFUL")[2]


def test_a_nodule_of_fat_is_refused_beside_one_that_is_judged(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    density = np.full(SHAPE, -850)
    density[10:15, 6:18, 6:18] = -80
    density[40:43, 10:14, 6:10] = 40
    ct = synthetic.ct_series(shape=SHAPE, hu=density)
    fat = mask(slice(10, 15), slice(6, 18), slice(6, 18))
    seg = synthetic.segmentation(ct, [fat, mask(slice(40, 43))])
    results = run(files(tmp_path, ct, seg), classifier)
    reason = (
        "fat lies in it (-80 HU), as in a hamartoma; the model has learnt from hardly any such "
        "nodule, so no probability is given; one beside fat is judged if the outline leaves the "
        "fat out"
    )
    assert [nodule.reason for nodule in results.nodules] == [None, reason]
    assert f"1 of 2 nodules analysed. NOT analysed: Nodule 1: {reason}." in results.headline


OPTIONAL = [
    *("AcquisitionNumber", "InstanceNumber", "SliceThickness", "KVP", "ConvolutionKernel"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("TemporalPositionIdentifier", "NominalPercentageOfCardiacPhase", "SeriesNumber"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "LossyImageCompression"),
    *("WindowCenter", "WindowWidth", "TimezoneOffsetFromUTC", "PatientOrientation"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
@pytest.mark.parametrize("kind", range(len(ODD_VALUES)))
def test_a_good_study_lives_through_any_odd_value_of_what_is_optional(
    tmp_path: Path, classifier: TorchClassifier, kind: int
) -> None:
    vr, value = ODD_VALUES[kind]
    ct = synthetic.ct_series(shape=SHAPE)
    seg = synthetic.segmentation(ct, [mask(slice(20, 23))])
    named = ("StudyInstanceUID", "PatientID", "IssuerOfPatientID")
    odd = dict.fromkeys({*OPTIONAL, *IDENTITY_KEYWORDS}.difference(named), (vr, value))
    given = received(tmp_path, ct, odd, seg)
    assert isinstance(given, Files), given
    # The network sees nothing of a header: with every fifth kind, pictures and all, it is asked.
    judged = kind % 5 == 0
    results = analyse(
        given.inputs,
        paths=given.paths,
        classifier=classifier,
        stamp=given.stamp,
        settings=SETTINGS if judged else replace(SETTINGS, max_diameter_mm=0.001),
    )
    assert results.outcome is (Outcome.ANALYSED if judged else Outcome.NOT_ANALYSED)
    assert judged or "expected 0.001 mm at most" in results.headline
    for artifact in results.artifacts:
        assert dcmread(BytesIO(in_bytes(artifact.dataset))).StudyInstanceUID == STUDY


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
@pytest.mark.parametrize("vr", ["US", "FD", "OB", "UN", "SQ", "PN", "AT", "ZZ"])
def test_a_character_set_written_as_anything_but_text_costs_no_study_its_report(
    tmp_path: Path, classifier: TorchClassifier, vr: str
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    seg = synthetic.segmentation(ct, [mask(slice(20, 23))])
    odd = {"SpecificCharacterSet": (vr, b"\1\0")}
    given = received(tmp_path, ct, odd, seg)
    assert isinstance(given, Files), given
    write(given.paths[given.inputs.annotations[0].sop_instance_uid], seg, odd)
    results = run(given, classifier)
    assert results.headline == "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed."
    failure = report_failure(
        given.inputs,
        reason="the machinery failed",
        paths=given.paths,
        card=classifier.card,
        fingerprint=classifier.fingerprint,
        stamp=given.stamp,
        settings=SETTINGS,
    )
    for artifact in (*results.artifacts, *failure.artifacts):
        assert dcmread(BytesIO(in_bytes(artifact.dataset))).StudyInstanceUID == STUDY


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
@pytest.mark.parametrize("keyword", READ_OF_A_SLICE)
def test_whatever_a_slice_says_the_study_is_assessed_or_refused_in_words(
    tmp_path: Path, classifier: TorchClassifier, keyword: str
) -> None:
    ct = synthetic.ct_series(shape=(4, 4, 4))
    seg = synthetic.segmentation(ct, [np.ones((4, 4, 4))])
    ended = 0
    for number, (vr, value) in enumerate(ODD_VALUES[::3]):
        folder = tmp_path / str(number)
        folder.mkdir()
        given = received(folder, ct, {keyword: (vr, value)}, seg)
        if isinstance(given, str):
            continue
        results = analyse(
            given.inputs,
            paths=given.paths,
            classifier=classifier,
            stamp=given.stamp,
            settings=replace(SETTINGS, max_diameter_mm=0.001),
        )
        assert results.outcome is Outcome.NOT_ANALYSED
        assert "\n" not in results.headline
        ended += 1
    assert ended > 0 or keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


STUDY = synthetic.uid("study")


def received(
    folder: Path, ct: list[Dataset], odd: Mapping[str, tuple[str, bytes]], annotation: Dataset
) -> Files | str:
    """As intake takes them and selection chooses them; or why intake does not take one."""
    facts, paths = [], {}
    for number, dataset in enumerate([annotation, *ct]):
        path = folder / f"{number}.dcm"
        if number:
            write(path, dataset, odd)
        else:
            dataset.save_as(path, enforce_file_format=True)
        read = dcmread(path)
        try:
            fact, _ = read_facts(read, transfer_syntax=str(read.file_meta.TransferSyntaxUID))
        except Refused as reason:
            return str(reason)
        facts.append(fact)
        paths[fact.sop_instance_uid] = path
    selection = select(StudyInstanceUID(STUDY), facts)
    assert selection is not None
    return Files(selection.inputs, paths, STAMP)


STAMP = Stamp(
    study_instance_uid=StudyInstanceUID(STUDY),
    input_digest="digest",
    analysis_id="analysis",
    revision=1,
    at=datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC),
)


def test_the_most_suspicious_nodule_comes_first_everywhere(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    """In captures, rows, report and its list; what untrained weights say is no order."""
    ct = synthetic.ct_series(shape=SHAPE)
    marks = [mask(slice(20, 23)), mask(slice(27, 30)), mask(slice(34, 37))]
    given = files(tmp_path, ct, synthetic.segmentation(ct, marks))
    trained = replace(classifier, card=replace(classifier.card, trained=True))
    rows = run(given, trained).nodules
    told = [row.probability or 0.0 for row in rows]
    assert told == sorted(told, reverse=True)
    groups = run(given, trained).artifacts[-1].dataset.ContentSequence
    lines = [item.TextValue for item in groups if item.ValueType == "TEXT"][1:4]
    assert [line.split(":")[0] for line in lines] == [row.tracking_id for row in rows]
    as_marked = [row.tracking_id for row in run(given, classifier).nodules]
    assert as_marked == ["Nodule 1", "Nodule 2", "Nodule 3"]


class LooksFurther:
    """The classifier, as if it looked at four slices more on either side."""

    def __init__(self, classifier: TorchClassifier) -> None:
        self._classifier = classifier

    def box_needed(self, volume: CTVolume, nodule: Nodule) -> GridBox:
        box = self._classifier.box_needed(volume, nodule)
        (z, y, x), (depth, rows, columns) = box.first, box.shape
        return GridBox(first=(z - 4, y, x), shape=(depth + 8, rows, columns))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)


def test_what_a_source_counts_is_said_and_a_nodule_at_the_end_of_less_is_not_judged(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=SHAPE)
    marked = synthetic.segmentation(ct, [mask(slice(20, 23)), mask(slice(55, 58))])
    given = files(tmp_path, ct, marked)

    def assessed(here: int, there: int) -> Assessment:
        count = SourceCount(source="PACS", here=here, there=there)
        inputs = replace(given.inputs, at_source=count)
        return assess(inputs, paths=given.paths, classifier=LooksFurther(classifier))

    whole = assessed(60, 60)
    assert (len(whole.judged), len(whole.refused)) == (2, 0)
    assert (
        "60 of 60 slices of the CT series were received; every instance that the annotation refers "
        "to was received; images of the series: 60 of 60 at PACS."
    ) in whole.remarks
    less = assessed(60, 63)
    assert any(each.endswith("images of the series: 60 of 63 at PACS.") for each in less.remarks)
    (refused,) = less.refused
    assert refused.tracking_id == "Nodule 2"
    assert refused.reason == (
        "3 images of the series that PACS holds were not received, and the slices about the nodule "
        "reach the end of what was; resend the series"
    )
    (refused,) = assessed(60, 61).refused
    assert refused.reason.startswith("1 image of the series that PACS holds was not received, and")
