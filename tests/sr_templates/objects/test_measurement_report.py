from copy import deepcopy
from dataclasses import replace
from io import BytesIO

import highdicom as hd
import pytest
from pydicom import Dataset

from sr_templates.findings import (
    Lobe,
    Location,
    Outcome,
    PredecessorReference,
    ReportContent,
    Side,
)
from sr_templates.objects.measurement_report import build_report
from tests import validators
from tests.sr_templates.examples import (
    ALGORITHM,
    COMPREHENSIVE,
    COMPREHENSIVE_3D,
    FULL,
    GROWN,
    OUTLINED,
    ROUND,
    SLICE,
    UNTRAINED,
    identity,
)

HEADLINES = {
    Outcome.NOTHING_MARKED: "Annotation read, it marks no nodule",
    Outcome.NOT_ANNOTATED: "No annotation received, nothing was assessed",
    Outcome.NOT_ANALYSED: "Not analysed: three slices are missing at slice 41",
    Outcome.TECHNICAL_FAILURE: "Technical failure: nothing was assessed",
}


def picture(number: int) -> Dataset:
    """The header of a capture."""
    capture = Dataset()
    capture.StudyInstanceUID = SLICE.StudyInstanceUID
    capture.SeriesInstanceUID = "2.25.61"
    capture.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.4"
    capture.SOPInstanceUID = f"2.25.80{number}"
    return capture


def report(content: ReportContent = FULL, **changes: object) -> Dataset:
    arguments = {
        "content": content,
        "evidence": [SLICE],
        "subject": SLICE,
        "algorithm": ALGORITHM,
        "identity": identity(),
        "sop_class_uid": COMPREHENSIVE_3D,
        "captures": {ROUND.tracking_uid: [picture(1)], OUTLINED.tracking_uid: [picture(2)]},
        "predecessor": None,
        "tracking_uid_of_study": "2.25.9",
    }
    return build_report(**{**arguments, **changes})


def without_nodule(outcome: Outcome) -> ReportContent:
    return ReportContent(outcome=outcome, headline=HEADLINES[outcome], remarks=("One remark.",))


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def written(dataset: Dataset, folder) -> object:
    path = folder / "report.dcm"
    path.write_bytes(encoded(dataset))
    return path


def items(dataset: Dataset, code: str) -> list[Dataset]:
    """Every content item with this concept, depth first."""
    found = []
    for item in dataset.get("ContentSequence", []):
        if item.ConceptNameCodeSequence[0].CodeValue == code:
            found.append(item)
        found += items(item, code)
    return found


def test_a_report_reads_back_with_its_nodules():
    read = hd.sr.srread(BytesIO(encoded(report())))
    first, second = read.content.get_planar_roi_measurement_groups()
    assert first.tracking_uid == "2.25.71"
    assert first.tracking_identifier == "Nodule 1"
    assert [(m.name.meaning, m.value, m.unit.value) for m in first.get_measurements()] == [
        ("Probability of cancer", 87.3, "%"),
        ("Diameter", 12.4, "mm"),
    ]
    assert first.roi.graphic_type.value == "CIRCLE"
    assert first.roi.value.tolist() == [[10.5, 8.5], [13.5, 8.5]]
    (call,) = first.get_qualitative_evaluations()
    assert (call.name.value, call.value.value) == ("RID36042", "21594007")
    assert [(m.name.meaning, m.value, m.unit.value) for m in second.get_measurements()] == [
        ("Probability of cancer", 4.1, "%"),
        ("Rated from, of nodules of a like probability (1 to 5)", 1.0, "{score}"),
        ("Rated to, of nodules of a like probability (1 to 5)", 3.5, "{score}"),
        ("Long Axis", 33.4, "mm"),
        ("Short Axis", 24.4, "mm"),
        ("Diameter", 28.9, "mm"),
        ("Volume", 9123, "mm3"),
        ("Attenuation Coefficient", -35, "[hnsf'U]"),
    ]
    assert second.roi.value.tolist() == [[2, 2], [6, 2], [4, 6], [2, 2]]
    (density,) = second.get_qualitative_evaluations()
    assert (density.name.value, density.value.value) == ("C41144", "RID50152")


def test_growth_is_inferred_from_the_earlier_ct_which_is_evidence_of_another_study():
    built = report(replace(FULL, nodules=(ROUND, GROWN)))
    _, second = hd.sr.srread(BytesIO(encoded(built))).content.get_planar_roi_measurement_groups()
    assert [(m.name.meaning, m.value, m.unit.value) for m in second.get_measurements()][-2:] == [
        ("Change in volume since the earlier CT", 52.0, "%"),
        ("Volume doubling time", 304.6, "d"),
    ]
    for number in items(built, "VOLUME_CHANGE") + items(built, "DOUBLING_TIME"):
        (source,) = [i for i in number.ContentSequence if i.RelationshipType == "INFERRED FROM"]
        assert source.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.93"
    (study,) = built.PertinentOtherEvidenceSequence
    assert study.StudyInstanceUID == "2.25.91"
    assert study.ReferencedSeriesSequence[0].SeriesInstanceUID == "2.25.92"
    of_today = built.CurrentRequestedProcedureEvidenceSequence
    assert [each.StudyInstanceUID for each in of_today] == [SLICE.StudyInstanceUID]


def test_no_doubling_time_is_told_where_there_is_none():
    same = replace(GROWN, growth=replace(GROWN.growth, change_percent=12.0, doubling_days=None))
    built = report(replace(FULL, nodules=(same,), refused=()))
    assert [n.MeasuredValueSequence[0].NumericValue for n in items(built, "VOLUME_CHANGE")] == [12]
    assert items(built, "DOUBLING_TIME") == []


def test_every_size_says_what_it_was_taken_from():
    built = report()
    said = [
        (
            number.ConceptNameCodeSequence[0].CodeMeaning,
            [(c.ConceptNameCodeSequence[0].CodeValue, c.ConceptCodeSequence[0].CodeValue)
             for c in number.ContentSequence],
        )
        for code in ("81827009", "103339001", "103340004", "118565006", "112031")
        for number in items(built, code)
    ]  # fmt: skip
    method, derivation = "370129005", "121401"
    assert said == [
        ("Diameter", [(method, "AS_ANNOTATED")]),
        ("Diameter", [(method, "FROM_MARK"), (derivation, "373098007")]),
        ("Long Axis", [(method, "FROM_MARK")]),
        ("Short Axis", [(method, "FROM_MARK")]),
        ("Volume", [(method, "FROM_MARK")]),
        ("Attenuation Coefficient", [(method, "FROM_MARK"), (derivation, "373098007")]),
    ]


def test_the_finding_site_has_side_and_lobe_only_where_they_are_known():
    first, second = items(report(), "363698007")
    assert first.ConceptCodeSequence[0].CodeValue == "39607008"
    assert "ContentSequence" not in first
    assert second.ConceptCodeSequence[0].CodeValue == "90572001"
    (side,) = second.ContentSequence
    assert side.ConceptNameCodeSequence[0].CodeValue == "272741003"
    assert side.ConceptCodeSequence[0].CodeValue == "7771000"


@pytest.mark.parametrize(("side", "code"), [(Side.LEFT, "7771000"), (Side.RIGHT, "24028007")])
@pytest.mark.parametrize(
    ("lobe", "site"),
    [
        (None, "39607008"),
        (Lobe.UPPER, "45653009"),
        (Lobe.MIDDLE, "40020002"),
        (Lobe.LOWER, "90572001"),
    ],
)
def test_sides_and_lobes_have_their_codes(side, code, lobe, site):
    nodule = replace(ROUND, location=Location(side=side, lobe=lobe))
    (found,) = items(report(replace(FULL, nodules=(nodule,))), "363698007")
    assert found.ConceptCodeSequence[0].CodeValue == site
    assert found.ContentSequence[0].ConceptCodeSequence[0].CodeValue == code


def test_of_several_nodules_a_list_follows_the_headline():
    first, *lines = [item.TextValue for item in items(report(), "121111")]
    assert first == "2 of 3 nodules analysed; Nodule 3 was not"
    assert lines == ["Nodule 1: 87 %.", "Nodule 2: < 5 %; left lung.", "Nodule 3: not analysed."]


@pytest.mark.parametrize(
    ("outcome", "description"),
    [
        (Outcome.ANALYSED, "AI nodule report (research use)"),
        (Outcome.PARTLY_ANALYSED, "AI report: NOT ALL ANALYSED (research use)"),
        (Outcome.NOTHING_MARKED, "AI report: NO NODULE MARKED (research use)"),
        (Outcome.NOT_ANNOTATED, "AI report: NOT ANNOTATED (research use)"),
        (Outcome.NOT_ANALYSED, "AI report: NOT ANALYSED (research use)"),
        (Outcome.TECHNICAL_FAILURE, "AI report: TECHNICAL FAILURE (research use)"),
    ],
)
def test_the_list_of_a_pacs_tells_reports_apart(outcome, description):
    assert report(replace(FULL, outcome=outcome)).SeriesDescription == description
    revised = report(replace(FULL, outcome=outcome), identity=replace(identity(), revision=12345))
    assert revised.SeriesDescription == description.replace(" (", ", revision 12345 (")
    assert len(revised.SeriesDescription) <= 64


def test_a_revised_report_says_which_it_is_right_after_its_headline():
    told = "Revision 2 of 28 Nov 2026 03:05, replaces revision 1 of 27 Nov 2026 14:12."
    lines = [item.TextValue for item in items(report(replace(FULL, revision=told)), "121111")]
    assert lines[:3] == ["2 of 3 nodules analysed; Nodule 3 was not", told, "Nodule 1: 87 %."]


def test_the_slices_are_of_the_chest():
    (region,) = items(report(), "123014")
    assert region.ConceptCodeSequence[0].CodeValue == "51185008"
    assert region.RelationshipType == "HAS ACQ CONTEXT"


def test_a_label_says_which_nodule_it_is_and_never_calls_untrained_output_a_probability():
    labels = items(report(), "125309")
    assert [item.TextValue for item in labels] == ["Nodule 1: 87 %", "Nodule 2: < 5 %"]
    assert {item.RelationshipType for item in labels} == {"HAS CONCEPT MOD"}
    nodules = [replace(nodule, call=None) for nodule in FULL.nodules]
    untrained = items(report(replace(FULL, nodules=nodules), algorithm=UNTRAINED), "125309")
    assert untrained[0].TextValue == "Nodule 1: UNTRAINED, NOT A RESULT"


def test_the_algorithm_stands_beneath_the_probability():
    probability = items(report(), "111047")[0]
    said = {
        item.ConceptNameCodeSequence[0].CodeValue: item.get("TextValue")
        for item in probability.ContentSequence
    }
    assert said["111001"] == "M3Net small"
    assert said["111003"] == "0.1.0"
    texts = [item.TextValue for item in items(probability, "111002")]
    assert texts == ["preset = small", "threshold = 0.5"]


def test_hashes_stand_where_nobody_reads_them():
    built = report()
    assert "3f9a2c11" not in str(built.ContentSequence)
    (equipment,) = built.ContributingEquipmentSequence
    assert equipment.ContributionDescription == (
        "M3Net small 0.1.0; For research use; not a cleared medical device; model = 3f9a2c11; "
        "analysis = 77aa"
    )


def test_the_headline_is_the_first_thing_that_is_read():
    built = report()
    first = built.ContentSequence[0]
    assert first.TextValue == "2 of 3 nodules analysed; Nodule 3 was not"
    assert built.CompletionFlagDescription == "2 of 3 nodules analysed; Nodule 3 was not"
    assert built.CompletionFlag == "PARTIAL"


def test_a_refused_nodule_is_in_the_tree_with_its_reason():
    (evaluations,) = items(report(), "C0034375")
    refused = evaluations.ContentSequence[0]
    assert refused.ConceptCodeSequence[0].CodeValue == "373121007"
    assert items(refused, "112040")[0].UID == "2.25.73"
    assert items(refused, "121106")[0].TextValue == "Not analysed: its centre is outside the CT"
    remarks = [item.TextValue for item in evaluations.ContentSequence[1:]]
    assert remarks == ["8 of 8 slices read.", "The CT was compressed with loss."]


def test_research_use_is_stated():
    built = report()
    assert built.ContentQualification == "RESEARCH"
    texts = [item.TextValue for item in items(built, "121106")]
    assert texts[0] == "For research use; not a cleared medical device."


def test_untrained_weights_are_in_the_first_line_and_make_no_call():
    nodules = [replace(nodule, call=None) for nodule in FULL.nodules]
    built = report(replace(FULL, nodules=nodules), algorithm=UNTRAINED)
    assert built.ContentSequence[0].TextValue.startswith("UNTRAINED, NOT A RESULT: 2 of 3")
    assert built.CompletionFlagDescription.startswith("UNTRAINED, NOT A RESULT")
    assert items(built, "RID36042") == []
    with pytest.raises(ValueError, match="no call"):
        report(algorithm=UNTRAINED)


def test_what_untrained_weights_give_is_not_a_probability_of_cancer():
    nodules = [replace(nodule, call=None) for nodule in FULL.nodules]
    built = report(replace(FULL, nodules=nodules), algorithm=UNTRAINED)
    read = hd.sr.srread(BytesIO(encoded(built)))
    first = read.content.get_planar_roi_measurement_groups()[0].get_measurements()[0]
    assert (first.name.meaning, first.value, first.unit.value) == (
        "UNTRAINED, NOT A RESULT",
        87.3,
        "%",
    )
    assert items(built, "111047") == []
    (scheme,) = built.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == first.name.scheme_designator == "99M3NODE"
    unannotated = report(without_nodule(Outcome.NOT_ANNOTATED))
    assert "CodingSchemeIdentificationSequence" not in unannotated


def test_a_report_with_nothing_to_draw_has_a_title_that_viewers_show_as_text():
    assert report().ConceptNameCodeSequence[0].CodeValue == "126000"
    told = report(without_nodule(Outcome.NOT_ANALYSED)).ConceptNameCodeSequence[0]
    assert (told.CodeValue, told.CodeMeaning) == ("126001", "Oncology Measurement Report")


def test_a_warning_that_the_headline_already_has_is_not_doubled():
    nodules = [replace(nodule, call=None) for nodule in FULL.nodules]
    content = replace(FULL, nodules=nodules, headline="UNTRAINED, NOT A RESULT. 2 of 3")
    first = report(content, algorithm=UNTRAINED).ContentSequence[0]
    assert first.TextValue == "UNTRAINED, NOT A RESULT. 2 of 3"


@pytest.mark.parametrize("outcome", HEADLINES)
def test_a_report_without_nodule_asserts_neither_a_nodule_nor_its_absence(outcome):
    built = report(without_nodule(outcome))
    assert built.ContentSequence[0].TextValue == HEADLINES[outcome]
    (group,) = items(built, "125007")
    assert items(group, "121071")[0].ConceptCodeSequence[0].CodeMeaning == "Not Evaluated"
    assert items(group, "121106")[0].TextValue == HEADLINES[outcome]
    assert items(built, "111047") == []
    complete = "COMPLETE" if outcome is Outcome.NOTHING_MARKED else "PARTIAL"
    assert built.CompletionFlag == complete
    hd.sr.srread(BytesIO(encoded(built)))


def test_the_pictures_explain_their_nodule_and_are_evidence():
    built = report()
    explained = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items(built, "130401")
    ]
    assert explained == ["2.25.801", "2.25.802"]
    (study,) = built.CurrentRequestedProcedureEvidenceSequence
    uids = [
        item.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    assert uids == [SLICE.SOPInstanceUID, "2.25.801", "2.25.802"]


def test_a_predecessor_is_named():
    old = PredecessorReference(
        study_instance_uid=SLICE.StudyInstanceUID,
        series_instance_uid="2.25.60",
        sop_class_uid=COMPREHENSIVE_3D,
        sop_instance_uid="2.25.49",
    )
    built = report(predecessor=old)
    series = built.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.49"
    assert "PredecessorDocumentsSequence" not in report()


def test_the_same_arguments_give_the_same_bytes():
    assert encoded(report()) == encoded(report())


def test_all_dates_are_the_jobs_in_its_zone():
    built = report()
    assert (built.ContentDate, built.ContentTime) == ("20260304", "050607.500000")
    assert built.InstanceCreationTime == "050607.500000"
    assert built.TimezoneOffsetFromUTC == "+0900"
    equipment = built.ContributingEquipmentSequence[0]
    assert equipment.ContributionDateTime == "20260304050607.500000+0900"


def test_the_studys_own_zone_goes_before_the_nodes():
    subject = deepcopy(SLICE)
    subject.TimezoneOffsetFromUTC = "-0230"
    built = report(subject=subject)
    assert (built.ContentDate, built.ContentTime) == ("20260303", "173607.500000")
    assert built.TimezoneOffsetFromUTC == "-0230"
    assert built.StudyTime == SLICE.StudyTime


def test_the_requests_of_the_ct_are_the_reports_requests():
    subject = deepcopy(SLICE)
    request = Dataset()
    request.RequestedProcedureID = "RP-1"
    request.RequestedProcedureDescription = "CT chest"
    subject.RequestAttributesSequence = [request]
    built = report(subject=subject)
    (item,) = built.ReferencedRequestSequence
    assert item.RequestedProcedureID == "RP-1"
    assert item.AccessionNumber == "A1"
    assert "RequestAttributesSequence" not in built


def test_a_report_on_an_annotation_alone_refers_to_it():
    annotation = deepcopy(SLICE)
    del annotation.Rows
    annotation.Modality, annotation.SOPClassUID = "SR", COMPREHENSIVE_3D
    built = report(without_nodule(Outcome.NOT_ANALYSED), evidence=[annotation], subject=annotation)
    assert items(built, "111028") == []
    (study,) = built.CurrentRequestedProcedureEvidenceSequence
    (item,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert item.ReferencedSOPClassUID == COMPREHENSIVE_3D


def test_a_headline_that_is_too_long_for_the_flag_is_shortened_there_alone():
    long = "Not analysed: " + "the series has a gap of three slices " * 3
    built = report(replace(without_nodule(Outcome.NOT_ANALYSED), headline=long))
    assert built.CompletionFlagDescription == (
        "Not analysed: the series has a gap of three slices the..."
    )
    assert built.ContentSequence[0].TextValue == long


@pytest.mark.peers
@pytest.mark.parametrize("sop_class_uid", [COMPREHENSIVE_3D, COMPREHENSIVE])
@pytest.mark.parametrize("outcome", [*HEADLINES, Outcome.PARTLY_ANALYSED])
def test_dciodvfy_finds_no_error(outcome, sop_class_uid, tmp_path):
    grown = replace(FULL, nodules=(ROUND, GROWN))
    content = grown if outcome is Outcome.PARTLY_ANALYSED else without_nodule(outcome)
    path = written(report(content, sop_class_uid=sop_class_uid), tmp_path)
    assert validators.dciodvfy(path) == []


@pytest.mark.peers
def test_dciodvfy_finds_no_error_with_untrained_weights(tmp_path):
    nodules = [replace(nodule, call=None) for nodule in FULL.nodules]
    path = written(report(replace(FULL, nodules=nodules), algorithm=UNTRAINED), tmp_path)
    assert validators.dciodvfy(path) == []


@pytest.mark.peers
@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (replace(FULL, nodules=FULL.nodules[:1]), {}),
        (replace(FULL, nodules=(ROUND, GROWN)), {"sop_class_uid": COMPREHENSIVE}),
        (replace(FULL, nodules=[replace(ROUND, call=None)]), {"algorithm": UNTRAINED}),
        (without_nodule(Outcome.NOT_ANALYSED), {}),
    ],
    ids=["one nodule and one refused", "comprehensive", "untrained", "not analysed"],
)
def test_pixelmed_is_content_with_the_template(content, changes, tmp_path):
    path = written(report(content, **changes), tmp_path)
    assert "Found Root Template TID_1500" in validators.pixelmed_sr(path)


@pytest.mark.peers
@pytest.mark.parametrize("outcome", HEADLINES)
def test_dsrdump_shows_the_headline_first(outcome, tmp_path):
    text = validators.dsrdump(written(report(without_nodule(outcome)), tmp_path))
    header, tree = text.split("<CONTAINER", 1)
    assert HEADLINES[outcome] in header
    assert f'Summary")="{HEADLINES[outcome]}"' in tree.splitlines()[1]
