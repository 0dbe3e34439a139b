from m3net.annotations.types import Drawn, PassedOver
from node.core.not_judged import count_passed_over, name_passed_over


def segment(number: int, says: str, *, unsaid: bool = False) -> PassedOver:
    return PassedOver(drawn=Drawn.SEGMENT, place=f"segment {number}", says=says, unsaid=unsaid)


def ruler(number: int) -> PassedOver:
    return PassedOver(drawn=Drawn.MEASUREMENT, place=f"measurement group {number}", unsaid=True)


def roi(number: int, says: str = "") -> PassedOver:
    return PassedOver(drawn=Drawn.ROI, place=f"ROI {number}", says=says, unsaid=not says)


def test_nothing_passed_over_is_not_mentioned() -> None:
    assert count_passed_over([]) == ""
    assert name_passed_over([]) == ()


def test_one_is_counted_and_named() -> None:
    one = [segment(1, "Tissue", unsaid=True)]
    assert count_passed_over(one) == "1 segment was not read as a nodule: Tissue."
    assert name_passed_over(one) == ("Segment 1 was not read as a nodule: Tissue.",)


def test_measurements_without_a_finding_are_told_apart() -> None:
    several = [ruler(1), ruler(2), segment(4, "Liver"), ruler(5)]
    assert count_passed_over(several) == (
        "3 measurements without a finding were not judged. "
        "1 segment was not read as a nodule: Liver."
    )
    assert name_passed_over(several) == (
        "Measurement groups 1, 2 and 5 are measurements without a finding, not judged.",
        "Segment 4 was not read as a nodule: Liver.",
    )
    assert name_passed_over([ruler(7)]) == (
        "Measurement group 7 is a measurement without a finding, not judged.",
    )


def test_two_of_a_kind_are_said_to_be_two() -> None:
    assert count_passed_over([ruler(1), ruler(2), segment(3, "Liver"), segment(4, "Liver")]) == (
        "2 measurements without a finding were not judged. "
        "2 segments were not read as nodules: Liver."
    )


def test_the_headline_names_three_things_and_counts_the_rest() -> None:
    organs = [segment(n, says) for n, says in enumerate(["A", "B", "A", "C", "D", "E"], start=1)]
    assert count_passed_over(organs) == "6 segments were not read as nodules: A, B, C and 2 more."
    assert name_passed_over(organs)[0] == "Segments 1 and 3 were not read as nodules: A."
    assert len(name_passed_over(organs)) == 5


def test_as_many_as_are_named_are_named_without_a_rest() -> None:
    organs = [segment(n, says) for n, says in enumerate("ABC", start=1)]
    assert count_passed_over(organs) == "3 segments were not read as nodules: A, B, C."
    (twenty,) = name_passed_over([segment(n, "Liver") for n in range(1, 41, 2)])
    assert twenty == (
        f"Segments {', '.join(str(n) for n in range(1, 39, 2))} and 39 were not read as nodules: "
        "Liver."
    )


def test_places_that_are_not_numbered_or_not_of_one_kind_are_named_one_by_one() -> None:
    def named(*places: str) -> str:
        passed = [
            PassedOver(drawn=Drawn.ROI, place=place, says="Liver", unsaid=False) for place in places
        ]
        return name_passed_over(passed)[0].removesuffix(" were not read as nodules: Liver.")

    assert named("graphic one", "graphic two") == "Graphic one and graphic two"
    assert named("graphic 1", "graphic two", "graphic 3") == "Graphic 1, graphic two and graphic 3"
    assert named("graphic 1", "ROI 2") == "Graphic 1 and ROI 2"
    many = named(*(f"graphic {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"))
    assert (
        many == f"G{', '.join(f'graphic {each}' for each in 'abcdefghijklmnopqrst')[1:]} and 6 more"
    )


def test_of_many_places_rows_and_the_first_are_named() -> None:
    (rows,) = name_passed_over([segment(n, "Liver") for n in (1, 2, 4, 5, 6, 9)])
    assert rows == "Segments 1, 2, 4 to 6 and 9 were not read as nodules: Liver."
    (many,) = name_passed_over([segment(n, "Liver") for n in range(1, 20_001, 2)])
    assert many == (
        f"Segments {', '.join(str(n) for n in range(1, 41, 2))} and 9980 more were not read as "
        "nodules: Liver."
    )


def test_what_has_no_meaning_is_said_to_have_none() -> None:
    assert count_passed_over([roi(2)]) == (
        "1 ROI was not read as a nodule: nothing says what it is."
    )
    assert name_passed_over([roi(2), roi(3)]) == (
        "ROIs 2 and 3 were not read as nodules: nothing says what it is.",
    )
