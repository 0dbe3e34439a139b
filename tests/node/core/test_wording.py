import pytest

from node.core.wording import headline
from sr_templates.findings import Outcome


def test_no_annotation_is_never_silence() -> None:
    line = headline(Outcome.NOT_ANNOTATED, trained=True)
    assert line == "No annotation received, nothing was assessed."


def test_an_annotation_without_nodule_says_so() -> None:
    assert headline(Outcome.NOTHING_MARKED, trained=True) == "Annotation read, it marks no nodule."


def test_an_annotation_that_draws_something_else_does_not_mark_nothing() -> None:
    passed = "1 segment was not read as a nodule: Tissue."
    assert headline(Outcome.NOTHING_MARKED, trained=True, passed_over=passed) == (
        "Annotation read, nothing in it was judged. 1 segment was not read as a nodule: Tissue."
    )
    assert headline(
        Outcome.ANALYSED, trained=True, probabilities=[("A", 0.5)], passed_over=passed
    ) == (
        "1 of 1 nodule analysed. Probability of malignancy 50 %. "
        "1 segment was not read as a nodule: Tissue."
    )


def test_one_nodule_is_stated_with_its_probability() -> None:
    assert (
        headline(Outcome.ANALYSED, trained=True, probabilities=[("Nodule 1", 0.873)])
        == "1 of 1 nodule analysed. Probability of malignancy 87 %."
    )


def test_of_several_the_highest_is_named() -> None:
    assert (
        headline(Outcome.ANALYSED, trained=True, probabilities=[("A", 0.1), ("B", 0.62)])
        == "2 of 2 nodules analysed. Highest probability of malignancy 62 % (B)."
    )


@pytest.mark.parametrize(
    ("probabilities", "whose"),
    [
        ([0.98, 0.2, 0.999], "> 95 % (A and C)"),
        ([0.62, 0.624, 0.3], "62 % (A and B)"),
        ([0.98, 0.97, 0.999], "> 95 % (3 nodules)"),
    ],
)
def test_of_nodules_that_are_told_alike_none_is_the_highest(
    probabilities: list[float], whose: str
) -> None:
    named = list(zip("ABC", probabilities, strict=True))
    assert headline(Outcome.ANALYSED, trained=True, probabilities=named) == (
        f"3 of 3 nodules analysed. Highest probability of malignancy {whose}."
    )


def test_a_refused_nodule_stands_before_the_probability() -> None:
    assert headline(
        Outcome.PARTLY_ANALYSED,
        trained=True,
        probabilities=[("A", 0.1), ("B", 0.62), ("C", 0.3)],
        refused=[("D", "its centre lies outside the CT")],
    ) == (
        "3 of 4 nodules analysed. NOT analysed: D: its centre lies outside the CT. "
        "Highest probability of malignancy 62 % (B)."
    )


def test_several_refused_nodules_are_named_beside_one_that_was_analysed() -> None:
    outside = "its centre lies outside the CT"
    for analysed, refused, names in ((1, 2, "D, E"), (1, 1, "D"), (2, 1, "D"), (2, 3, "D, E, F")):
        line = headline(
            Outcome.PARTLY_ANALYSED,
            trained=True,
            probabilities=[("A", 0.1), ("B", 0.62)][:analysed],
            refused=[(name, outside) for name in "DEF"[:refused]],
        )
        assert f"NOT analysed: {names}: its centre lies outside the CT. " in line


def test_a_doubt_stands_in_the_headline_with_the_name_where_there_are_several() -> None:
    rib = "bone in it goes on beyond it: it may be a rib"
    one = headline(Outcome.ANALYSED, trained=True, probabilities=[("A", 0.5)], doubts=[("A", rib)])
    assert one == f"1 of 1 nodule analysed. Probability of malignancy 50 %. DOUBTFUL: {rib}."
    two = headline(
        Outcome.ANALYSED,
        trained=True,
        probabilities=[("A", 0.5), ("B", 0.7)],
        doubts=[("A", rib)],
    )
    assert two == (
        f"2 of 2 nodules analysed. Highest probability of malignancy 70 % (B). DOUBTFUL: A: {rib}."
    )


def test_an_object_that_was_not_read_is_named() -> None:
    assert headline(
        Outcome.PARTLY_ANALYSED,
        trained=True,
        probabilities=[("A", 0.5)],
        unread=["RT Structure Set not supported yet"],
    ) == (
        "1 of 1 nodule analysed. NOT read: RT Structure Set not supported yet. "
        "Probability of malignancy 50 %."
    )


def test_untrained_weights_come_first_and_give_no_number() -> None:
    assert (
        headline(Outcome.ANALYSED, trained=False, probabilities=[("A", 0.5)])
        == "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed."
    )


def test_a_reason_is_given_once_behind_the_names_of_its_nodules() -> None:
    assert (
        headline(
            Outcome.NOT_ANALYSED,
            trained=True,
            refused=[
                ("A", "slices are missing"),
                ("B", "it is too small"),
                ("C", "slices are missing"),
            ],
        )
        == "Not analysed: A, C: slices are missing; B: it is too small."
    )


def test_the_only_nodule_needs_no_name() -> None:
    assert (
        headline(Outcome.NOT_ANALYSED, trained=True, refused=[("A", "slices are missing")])
        == "Not analysed: slices are missing."
    )


def test_a_technical_failure_is_unmistakable() -> None:
    assert (
        headline(Outcome.TECHNICAL_FAILURE, trained=True, reasons=["out of memory"])
        == "Technical failure, nothing was assessed: out of memory."
    )
