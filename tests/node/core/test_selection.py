"""Which series and which annotations are analysed, and what the report says of the choice."""

import pytest

from m3net.uids import FrameKey, FrameReference, SOPInstanceUID
from node.core.digest import NO_PATIENT
from node.core.inputs import InstanceFacts, Intent, Role
from node.core.selection import Selection, select
from node.core.series_choice import marked_frames
from tests.node.core.facts_of import (
    CT_CLASS,
    NOT_SUPPORTED,
    STUDY,
    THICK,
    THIN,
    ct_series,
    ct_slice,
    facts,
    segmentation,
    structure_set,
    uids,
)


def chosen(*instances: InstanceFacts) -> Selection:
    selection = select(STUDY, instances)
    assert selection is not None
    return selection


def test_the_series_that_the_annotation_draws_on_is_chosen_though_another_is_thinner() -> None:
    thick, thin = ct_series(20), ct_series(50, series=THIN, step_mm=1.0, series_number=4)
    selection = chosen(*thick, *thin, segmentation(drawn_on=uids(*thick[7:9])))
    assert selection.inputs.series is not None
    assert selection.inputs.series.series_instance_uid == THICK
    assert selection.inputs.series.because == (
        "CT series 3 (20 slices, 2.50 mm apart, kernel B30f) was chosen because the annotation "
        "draws on its slices."
    )
    assert selection.inputs.ct == tuple(sorted(thick, key=lambda f: f.sop_instance_uid))


def test_what_is_drawn_on_goes_before_what_is_referred_to_and_that_before_any_place() -> None:
    thick, thin = ct_series(20), ct_series(50, series=THIN, step_mm=1.0)
    drawing = segmentation(drawn_on=uids(thick[8]), refers_to=uids(*thin))
    referring = segmentation(refers_to=uids(*thick))
    for annotation, because in (
        (drawing, "was chosen because the annotation draws on its slices."),
        (referring, "was chosen because the annotation refers to it."),
    ):
        choice = chosen(*thick, *thin, annotation).inputs.series
        assert choice is not None
        assert choice.series_instance_uid == THICK
        assert choice.because.endswith(because)


def test_of_series_that_cover_the_mark_the_thinnest_is_chosen_though_another_is_longer() -> None:
    thick, thin = ct_series(40), ct_series(30, series=THIN, step_mm=1.0)
    choice = chosen(*thick, *thin, segmentation()).inputs.series
    assert choice is not None
    assert choice.series_instance_uid == THIN


def test_a_strangers_annotation_has_no_say_in_which_series_is_chosen() -> None:
    thick, thin = ct_series(20), ct_series(50, series=THIN, step_mm=1.0)
    ours = segmentation(drawn_on=uids(thin[20]))
    theirs = segmentation(uid="1.2.3.50.2", drawn_on=uids(*thick[7:9]), patient="somebody else")
    for annotations in ((ours, theirs), (theirs, ours)):
        selection = chosen(*thick, *thin, *annotations)
        assert selection.inputs.annotations == (ours,)
        assert selection.inputs.series is not None
        assert selection.inputs.series.series_instance_uid == THIN


def test_whoever_is_accepted_is_of_the_patient_of_the_series_that_is_analysed() -> None:
    """A study of two patients' CT, and each annotation is drawn on the other's, or a stranger's."""
    thick, thin = ct_series(20), ct_series(50, series=THIN, step_mm=1.0, patient="another")
    on_theirs = segmentation(drawn_on=uids(*thin[20:22]))
    for patient in ("another", "somebody else"):
        loud = segmentation(uid="1.2.3.50.2", drawn_on=uids(*thick[2:9]), patient=patient)
        selection = chosen(*thick, *thin, on_theirs, loud)
        assert selection.inputs.intent is Intent.REPORT_NOT_ANALYSED
        assert selection.inputs.reason == "the annotation names another patient than the CT"
        assert len(selection.inputs.unread) == 1, "the other's is the reason"
    right = segmentation(drawn_on=uids(*thin[20:22]), patient="another")
    loud = segmentation(uid="1.2.3.50.2", drawn_on=uids(*thick[2:9]))
    selection = chosen(*thick, *thin, right, loud)
    assert {facts.patient_key for facts in selection.inputs.ct} == {"patient"}
    assert selection.inputs.annotations == (loud,)


def test_a_series_whose_slices_tell_no_place_is_stated_by_their_number() -> None:
    placeless = [facts(uid=f"{THICK}.{n}", role=Role.CT, series=THICK) for n in range(3)]
    selection = chosen(*placeless, segmentation())
    assert selection.inputs.series is not None
    assert selection.inputs.series.because.startswith("The CT series (3 slices) was chosen because")
    selection = chosen(placeless[0], segmentation())
    assert selection.inputs.series is not None
    assert selection.inputs.series.because.startswith("The CT series (1 slice) was chosen because")


def test_of_one_slice_no_distance_is_stated() -> None:
    selection = chosen(*ct_series(1), segmentation())
    assert selection.inputs.series is not None
    assert "mm apart" not in selection.inputs.series.because
    assert "kernel B30f" in selection.inputs.series.because


def test_without_references_the_thinnest_series_of_its_frame_that_covers_the_mark_is_chosen() -> (
    None
):
    thick = ct_series(20)
    short = ct_series(10, series=THIN, step_mm=1.0)  # -100 to -91 mm; the mark is at -80 mm
    selection = chosen(*thick, *short, segmentation())
    assert selection.inputs.series is not None
    assert selection.inputs.series.series_instance_uid == THICK
    long = ct_series(50, series=THIN, step_mm=1.0)
    selection = chosen(*thick, *long, segmentation())
    assert selection.inputs.series is not None
    assert selection.inputs.series.series_instance_uid == THIN


def test_what_is_drawn_on_counts_and_what_is_referred_to_only_where_nothing_is_drawn() -> None:
    drawing = segmentation(drawn_on=["1.1"], refers_to=["1.2"])
    referring = segmentation(uid="1.2.3.50.2", refers_to=["1.3"])
    assert marked_frames([drawing, referring]) == {FrameReference(SOPInstanceUID("1.1"))}
    assert marked_frames([referring]) == {FrameReference(SOPInstanceUID("1.3"))}
    assert marked_frames([structure_set()]) == frozenset()


def test_of_equally_thin_series_the_longest_is_chosen() -> None:
    selection = chosen(*ct_series(20), *ct_series(30, series=THIN), segmentation())
    assert selection.inputs.series is not None
    assert selection.inputs.series.series_instance_uid == THIN


def test_a_scout_a_reformat_and_a_dose_report_change_nothing() -> None:
    slices = ct_series(20)
    annotation = segmentation(drawn_on=uids(slices[8]))
    alone = chosen(*slices, annotation)
    scout = facts(uid="1.2.3.70.1", role=Role.LOCALIZER, series="1.2.3.70", kind="CT localizer")
    dose = facts(uid="1.2.3.71.1", role=Role.OTHER, series="1.2.3.71")
    coronal = ct_series(9, series=THIN, row=(1.0, 0.0, 0.0), col=(0.0, 0.0, -1.0))
    assert chosen(scout, *coronal, *slices, dose, annotation).inputs == alone.inputs


def test_our_own_results_are_no_inputs() -> None:
    own = facts(uid="1.2.3.80.1", role=Role.OWN_RESULT)
    assert select(STUDY, [own]) is None


def test_planes_of_other_series_that_are_drawn_on_are_handed_over() -> None:
    thick, thin = ct_series(20), ct_series(50, series=THIN, step_mm=1.0)
    one = segmentation(drawn_on=uids(*thick[7:9]))
    other = segmentation(uid="1.2.3.50.2", drawn_on=uids(thin[20]))
    selection = chosen(*thick, *thin, one, other)
    assert selection.inputs.elsewhere == (thin[20],)
    assert selection.awaits == ()


def test_another_patients_annotation_is_refused_and_the_rest_is_analysed() -> None:
    slices = ct_series(20)
    ours = segmentation(drawn_on=uids(slices[8]))
    theirs = segmentation(uid="1.2.3.50.2", drawn_on=uids(slices[8]), patient="somebody else")
    selection = chosen(*slices, ours, theirs)
    assert selection.inputs.intent is Intent.ANALYSE
    assert selection.inputs.annotations == (ours,)
    assert selection.inputs.unread == (
        "Segmentation: the annotation names another patient than the CT.",
    )


def test_an_annotation_without_the_issuer_that_the_ct_names_is_of_the_same_patient() -> None:
    slices = ct_series(20, issuer="Ward 7")
    ours = segmentation(drawn_on=uids(slices[8]))
    assert chosen(*slices, ours).inputs.annotations == (ours,)


def test_the_same_id_of_another_issuer_is_another_patient() -> None:
    slices = ct_series(20, issuer="Ward 7")
    selection = chosen(*slices, segmentation(drawn_on=uids(slices[8]), issuer="Ward 8"))
    assert selection.inputs.reason == "the annotation names another patient than the CT"
    mixed = [*ct_series(19, issuer="Ward 7"), ct_slice(19, issuer="Ward 8")]
    selection = chosen(*mixed, segmentation(drawn_on=uids(mixed[8])))
    assert selection.after_waiting == "the slices of the CT series name different patients"
    one_silent = [*ct_series(19, issuer="Ward 7"), ct_slice(19)]
    selection = chosen(*one_silent, segmentation(drawn_on=uids(slices[8]), issuer="Ward 8"))
    assert selection.inputs.reason == "the annotation names another patient than the CT"


def test_annotations_of_two_issuers_on_a_ct_that_names_none_are_both_refused() -> None:
    slices = ct_series(20)
    silent = segmentation(drawn_on=uids(slices[8]))
    seven, eight = (
        segmentation(uid=f"1.2.3.50.{n}", drawn_on=uids(slices[8]), issuer=f"Ward {n}")
        for n in (7, 8)
    )
    assert chosen(*slices, silent, seven).inputs.annotations == (silent, seven)
    assert chosen(*slices, silent, seven, eight).inputs.annotations == (silent,)
    both = chosen(*slices, seven, eight).inputs
    assert both.intent is Intent.REPORT_NOT_ANALYSED
    assert both.reason == "the annotation names another patient than the CT"


def test_annotations_of_two_patients_on_a_ct_that_names_none_are_both_refused() -> None:
    slices = ct_series(20, patient=NO_PATIENT)
    silent = segmentation(drawn_on=uids(slices[8]), patient=NO_PATIENT)
    one, two = (
        segmentation(uid=f"1.2.3.50.{n}", drawn_on=uids(slices[8]), patient=f"patient {n}")
        for n in (1, 2)
    )
    refused = "Segmentation: the annotation names a patient, and the CT names none."
    beside = chosen(*slices, silent, one, two).inputs
    assert beside.intent is Intent.ANALYSE
    assert beside.annotations == (silent,)
    assert beside.unread == (refused, refused)
    both = chosen(*slices, one, two).inputs
    assert both.intent is Intent.REPORT_NOT_ANALYSED
    assert both.reason == "the annotation names a patient, and the CT names none"


def test_a_slice_that_names_no_patient_is_of_the_patient_whom_the_others_name() -> None:
    slices = [*ct_series(19), ct_slice(19, patient=NO_PATIENT)]
    assert chosen(*slices, segmentation(drawn_on=uids(slices[8]))).awaits == ()
    foreign = segmentation(drawn_on=uids(slices[8]), patient="somebody else")
    reason = chosen(*slices, foreign).inputs.reason
    assert reason == "the annotation names another patient than the CT"


def test_another_patients_annotation_alone_is_one_reason_and_no_analysis() -> None:
    slices = ct_series(20)
    selection = chosen(*slices, segmentation(drawn_on=uids(slices[8]), patient="somebody else"))
    assert selection.inputs.intent is Intent.REPORT_NOT_ANALYSED
    assert selection.inputs.reason == "the annotation names another patient than the CT"
    assert selection.inputs.unread == ()
    assert selection.awaits == ()


def test_of_several_annotations_that_are_refused_the_first_is_the_reason_and_the_rest_is_told() -> (
    None
):
    theirs = segmentation(drawn_on=["1.1"], patient="somebody else")
    selection = chosen(*ct_series(20), theirs, structure_set())
    assert selection.inputs.reason == "the annotation names another patient than the CT"
    assert selection.inputs.unread == (f"{NOT_SUPPORTED}.",)


def test_a_mark_whose_place_is_not_known_yet_is_a_mark() -> None:
    slices = ct_series(20)
    placeless = segmentation(drawn_on=uids(slices[8]), centres_mm=())
    selection = chosen(*slices, placeless, structure_set())
    assert selection.inputs.intent is Intent.ANALYSE
    assert selection.inputs.annotations == (placeless,)


def test_a_structure_set_alone_is_not_analysed_and_never_no_nodule() -> None:
    selection = chosen(*ct_series(20), structure_set())
    assert selection.inputs.intent is Intent.REPORT_NOT_ANALYSED
    assert selection.inputs.reason == NOT_SUPPORTED


def test_a_structure_set_beside_a_segmentation_that_marks_nothing_is_not_no_nodule() -> None:
    slices = ct_series(20)
    empty = segmentation(refers_to=uids(*slices), centres_mm=())
    selection = chosen(*slices, empty, structure_set())
    assert selection.inputs.intent is Intent.REPORT_NOT_ANALYSED
    assert selection.inputs.reason == NOT_SUPPORTED


def test_a_structure_set_beside_a_mark_is_said() -> None:
    slices = ct_series(20)
    selection = chosen(*slices, segmentation(drawn_on=uids(slices[8])), structure_set())
    assert selection.inputs.intent is Intent.ANALYSE
    assert selection.inputs.unread == (f"{NOT_SUPPORTED}.",)


def test_an_annotation_that_marks_nothing_is_analysed_so_that_the_report_says_no_nodule() -> None:
    slices = ct_series(20)
    selection = chosen(*slices, segmentation(refers_to=uids(*slices), centres_mm=()))
    assert selection.inputs.intent is Intent.ANALYSE


def test_a_foreign_frame_of_reference_is_waited_for_and_then_left_to_the_pipeline() -> None:
    selection = chosen(*ct_series(20), segmentation(frame="9.9.9"))
    assert selection.awaits == ("for the CT that the annotation refers to",)
    assert selection.after_waiting is None
    assert selection.inputs.intent is Intent.ANALYSE


def test_for_an_annotation_that_cannot_be_read_nothing_is_waited_for() -> None:
    damaged = facts(uid="1.2.3.50.1", role=Role.ANNOTATION, kind="Segmentation")
    selection = chosen(*ct_series(20), damaged)
    assert selection.inputs.intent is Intent.ANALYSE
    assert (selection.inputs.annotations, selection.awaits) == ((damaged,), ())


def test_a_mark_outside_the_ct_is_not_waited_for() -> None:
    slices = ct_series(20)
    lying = segmentation(refers_to=uids(*slices), centres_mm=((0.0, 0.0, 107.5),))
    assert chosen(*slices, lying).awaits == ()


def test_a_gap_inside_the_series_is_waited_for() -> None:
    slices = ct_series(20)
    del slices[9:12]
    selection = chosen(*slices, segmentation())
    assert selection.awaits == ("for 3 slices missing in the CT series",)
    assert selection.after_waiting is None


MR, PET = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"
REAL_WORLD_VALUES = "1.2.840.10008.5.1.4.1.1.67"


@pytest.mark.parametrize(
    "stranger",
    [
        segmentation(nodules=False, image_classes=[MR]),
        segmentation(nodules=True, image_classes=[MR]),
        segmentation(nodules=True, image_classes=[PET, REAL_WORLD_VALUES]),
        segmentation(nodules=False, image_classes=[CT_CLASS]),
        segmentation(nodules=False),
        structure_set(),
    ],
    ids=["brain MR", "lesion on MR", "lesion on PET", "organ on CT", "untold", "unreadable kind"],
)
def test_without_a_ct_only_a_nodule_on_ct_makes_a_study_ours(stranger: InstanceFacts) -> None:
    assert select(STUDY, [stranger]) is None
    assert select(STUDY, [stranger, segmentation(uid="1.2.3.50.9", drawn_on=["1.1"])]) is not None


@pytest.mark.parametrize("classes", [[], [CT_CLASS], [CT_CLASS, PET], [REAL_WORLD_VALUES]])
def test_a_nodule_that_may_be_on_ct_waits_for_it(classes: list[str]) -> None:
    selection = chosen(segmentation(drawn_on=["1.1"], image_classes=classes))
    assert selection.awaits == ("for the CT that the annotation refers to",)
    assert selection.inputs.reason == "the CT that the annotation refers to was not received"


def test_nobody_waits_for_what_an_organs_segmentation_refers_to() -> None:
    organ = segmentation(nodules=False, refers_to=["7.7.7"], centres_mm=())
    selection = chosen(*ct_series(20), organ)
    assert (selection.awaits, selection.inputs.missing) == ((), frozenset())


def test_a_mark_on_a_scout_is_not_a_ct_that_was_not_received() -> None:
    scout = facts(uid="1.2.3.70.1", role=Role.LOCALIZER, series="1.2.3.70", kind="CT localizer")
    on_it = segmentation(drawn_on=["1.2.3.70.1"], centres_mm=())
    alone = chosen(scout, on_it)
    assert alone.inputs.reason == (
        "the annotation is drawn on a scout or a projection, "
        "which does not tell how deep a mark lies"
    )
    with_ct = chosen(*ct_series(20), scout, on_it)
    assert (with_ct.awaits, with_ct.after_waiting) == ((), None)
    assert with_ct.inputs.scouts == {"1.2.3.70.1"}


def test_an_annotation_that_names_no_patient_is_the_patients_whose_slices_it_names() -> None:
    slices = ct_series(20)
    by_slices = segmentation(drawn_on=uids(slices[8]), patient=NO_PATIENT)
    selection = chosen(*slices, by_slices)
    assert selection.inputs.intent is Intent.ANALYSE
    assert selection.inputs.remarks == (
        "Segmentation: it names no patient, and was taken for the CT's by the slices that it "
        "names.",
    )
    unproven = chosen(*slices, segmentation(patient=NO_PATIENT))
    assert unproven.inputs.reason == (
        "the annotation names no patient, and no slice of the CT that would tell whose it is"
    )


def test_a_ct_that_names_no_patient_is_the_patients_whose_annotation_names_its_slices() -> None:
    slices = ct_series(20, patient=NO_PATIENT)
    selection = chosen(*slices, segmentation(drawn_on=uids(slices[8])))
    assert selection.inputs.intent is Intent.ANALYSE
    assert selection.inputs.remarks == (
        "Segmentation: it names a patient and the CT names none; it was taken for the CT's by the "
        "slices that it names.",
    )
    unproven = chosen(*slices, segmentation())
    assert unproven.inputs.reason == "the annotation names a patient, and the CT names none"


def test_a_slice_that_came_damaged_is_told_and_is_missing_to_the_mark_that_names_it() -> None:
    slices = ct_series(20)
    damaged = facts(
        uid="1.2.3.72.1",
        role=Role.OTHER,
        sop_class=CT_CLASS,
        series=slices[0].series_instance_uid,
    )
    others = [
        facts(uid=f"1.2.3.73.{n}", role=Role.OTHER, sop_class=CT_CLASS, series="1.2.3.73")
        for n in (1, 2)
    ]
    told = ("1 image of the CT series came and could not be read; resend it.",)
    beside = chosen(*slices, damaged, *others, segmentation(drawn_on=uids(slices[8])))
    assert (beside.inputs.remarks, beside.awaits) == (told, ())
    on_it = chosen(*slices, damaged, segmentation(drawn_on=[*uids(slices[8]), "1.2.3.72.1"]))
    assert on_it.inputs.missing == {"1.2.3.72.1"}
    assert on_it.awaits == ("for 1 instance that the annotation needs",)
    louder = segmentation(drawn_on=uids(*slices[2:9]), patient="somebody else")
    thin = ct_series(50, series=THIN, step_mm=1.0)
    own = segmentation(uid="1.2.3.50.2", drawn_on=uids(thin[8]))
    damaged = facts(uid="1.2.3.72.1", role=Role.OTHER, sop_class=CT_CLASS, series=THIN)
    assert chosen(*slices, *thin, damaged, louder, own).inputs.remarks == told


def test_a_ct_that_is_too_large_to_read_was_received_and_the_reason_says_so() -> None:
    too_large = facts(uid="1.2.3.72.1", role=Role.OTHER, sop_class=CT_CLASS)
    on_it = segmentation(drawn_on=uids(too_large), image_classes=[CT_CLASS])
    selection = chosen(too_large, on_it)
    assert selection.inputs.reason == (
        "what the annotation is drawn on was received, and is no CT that can be read"
    )
    assert chosen(on_it).inputs.reason == "the CT that the annotation refers to was not received"


def test_a_source_is_asked_only_where_a_nodule_is_marked_on_a_ct_that_is_here_or_may_come() -> None:
    slices = ct_series(20)
    nodule = segmentation(drawn_on=uids(slices[8]))
    organ = segmentation(nodules=False, centres_mm=())
    too_large = facts(uid=slices[8].sop_instance_uid, role=Role.OTHER, sop_class=CT_CLASS)
    assert chosen(*slices, nodule).on_ct
    assert chosen(nodule).on_ct
    assert not chosen(too_large, nodule).on_ct
    assert not chosen(*slices, organ).on_ct
    assert not chosen(*slices).on_ct


def test_slices_that_name_the_study_in_two_ways_are_waited_for() -> None:
    slices = [*ct_series(19), ct_slice(19, identity="another accession number")]
    assert chosen(*slices, segmentation()).awaits == (
        "for all slices of the CT series to name patient and study alike",
    )


def test_an_image_that_tells_no_geometry_is_one_frame() -> None:
    image = facts(uid="1.2.3.10.1", role=Role.CT)
    assert image.frames() == (FrameKey(SOPInstanceUID("1.2.3.10.1"), 1),)


def test_two_patients_in_one_series_are_never_analysed() -> None:
    slices = [*ct_series(19), ct_slice(19, patient="somebody else")]
    selection = chosen(*slices, segmentation())
    assert selection.awaits == ("for all slices of the CT series to name the same patient",)
    assert selection.after_waiting == "the slices of the CT series name different patients"


def test_the_order_of_arrival_changes_nothing_about_the_ct() -> None:
    slices = ct_series(20)
    annotation = segmentation(drawn_on=uids(slices[8]))
    assert chosen(*slices, annotation).inputs == chosen(annotation, *slices[::-1]).inputs
