"""Two studies are of one patient only where ID and issuer say so, and nothing speaks against it."""

from dataclasses import replace

import pytest

from node.core.prior import Person, latest_day

JANE = Person(patient_id="4711", issuer="CITY", birth_date="19500102", sex="F")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (JANE, True),
        (replace(JANE, birth_date=""), True),
        (replace(JANE, sex=""), True),
        (replace(JANE, patient_id="4712"), False),
        (replace(JANE, issuer="TOWN"), False),
        (replace(JANE, issuer=""), False),
        (replace(JANE, birth_date="19500103"), False),
        (replace(JANE, sex="M"), False),
    ],
)
def test_who_is_surely_the_same(other: Person, same: bool) -> None:
    assert JANE.is_surely(other) is same
    assert other.is_surely(JANE) is same


def test_nobody_is_the_same_as_nobody() -> None:
    nobody = replace(JANE, patient_id="")
    assert not nobody.is_surely(nobody)


def test_a_study_is_compared_with_one_a_month_before_at_least() -> None:
    assert latest_day("20260301") == "20260130"
    assert [latest_day(said) for said in ("", "2026", "20261399", "not a day")] == [None] * 4
