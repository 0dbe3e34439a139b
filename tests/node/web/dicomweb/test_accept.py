"""Accept is read exactly as clients write it, or refused; never half."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.web.dicomweb.accept import ANYTHING, Wish, wishes
from node.web.problems import Problem

DICOM = Wish(multipart=True, type="application/dicom")
ANY_SYNTAX = Wish(multipart=True, type="application/dicom", transfer_syntax="*")


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        (None, ANYTHING),
        ("", ANYTHING),
        (" , ", ANYTHING),
        ("*/*", ANYTHING),
        ('multipart/related; type="application/dicom"', DICOM),
        ("multipart/related;type=application/dicom", DICOM),
        ("Multipart/Related ; TYPE=Application/DICOM", DICOM),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', ANY_SYNTAX),
        ('multipart/related; type="application/dicom"; transfer-syntax="*"', ANY_SYNTAX),
        ('multipart/related; type="application/dicom; transfer-syntax=*"', ANY_SYNTAX),
        (
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
            Wish(multipart=True, type="application/octet-stream", transfer_syntax="*"),
        ),
        (
            'multipart/related; transfer-syntax=1.2.840.10008.1.2.4.80; type="image/jls"; q=1.0',
            Wish(multipart=True, type="image/jls", transfer_syntax="1.2.840.10008.1.2.4.80"),
        ),
        (
            'multipart/related; type="*/*"',
            Wish(multipart=True, type="*/*", transfer_syntax="*"),
        ),
        (
            "multipart/related;type=*/*",
            Wish(multipart=True, type="*/*", transfer_syntax="*"),
        ),
        ("multipart/related", Wish(multipart=True, type="*/*", transfer_syntax="*")),
        ("multipart/related; type=image/*", Wish(multipart=True, type="image/*")),
        ("image/png", Wish(multipart=False, type="image/png")),
        (
            r'application/dicom; transfer-syntax="1.2\.840"',
            Wish(multipart=False, type="application/dicom", transfer_syntax="1.2.840"),
        ),
        ("application/json;;", Wish(multipart=False, type="application/json")),
    ],
)
def test_what_clients_write_is_understood(header: str | None, wish: Wish) -> None:
    assert wishes(header) == (wish,)


def test_what_is_wanted_most_goes_first_and_of_equals_what_is_named_first() -> None:
    found = wishes("image/png;q=0.5, image/jpeg, application/dicom+json;q=.9, image/gif")
    assert [wish.type for wish in found] == [
        "image/jpeg",
        "image/gif",
        "application/dicom+json",
        "image/png",
    ]


def test_what_has_the_quality_zero_is_not_wanted() -> None:
    assert [wish.type for wish in wishes("image/png;q=0, image/jpeg;q=0.000, */*")] == ["*/*"]
    assert wishes("image/png;q=0") == ()


@pytest.mark.parametrize(
    ("header", "png"),
    [
        ("image/png;q=0, */*", None),
        ("image/png;q=0.1, */*;q=0.5", "image/png"),
        ("image/png;q=0.9, */*;q=0.5", "image/png"),
        ("image/*;q=0, */*", None),
        ("image/*;q=0, image/png, */*", "image/png"),
        ("image/png;transfer-syntax=1.2.3;q=0, image/*", "image/*"),
        ("image/*, */*;q=0", "image/*"),
    ],
)
def test_a_range_takes_nothing_of_which_the_header_says_otherwise(
    header: str, png: str | None
) -> None:
    takes = [wish.type for wish in wishes(header) if wish.takes("image/png", multipart=False)]
    assert next(iter(takes), None) == png


def test_of_several_names_a_range_takes_the_first_and_whoever_names_another_takes_that() -> None:
    names = ("application/dicom+json", "application/json")
    for header, taken in (
        ("application/json", True),
        ("*/*", True),
        ("application/json;q=0, */*", True),
        ("application/dicom+json;q=0, */*", False),
        ("multipart/related;type=application/json", False),
    ):
        (wish,) = wishes(header)
        assert wish.takes_alone(*names) is taken, header


def test_the_same_wish_is_tried_once_and_not_too_many_are() -> None:
    assert len(wishes("image/png, image/*, image/png;q=0.5, IMAGE/PNG")) == 2
    assert len(wishes(", ".join(f"image/x{number}" for number in range(32)))) == 32
    with pytest.raises(Problem, match="Accept cannot be read"):
        wishes(", ".join(f"image/x{number}" for number in range(33)))


def test_the_parameter_of_the_query_goes_before_the_header() -> None:
    found = wishes("image/jpeg", "image/png;q=0.1")
    assert [wish.type for wish in found] == ["image/png", "image/jpeg"]


def test_a_comma_or_semicolon_in_a_quotation_separates_nothing() -> None:
    (wish,) = wishes('application/dicom; note="a, b; c=\\"d\\""')
    assert wish == Wish(multipart=False, type="application/dicom")


@pytest.mark.parametrize(
    "header",
    [
        "application",
        "application/",
        "/dicom",
        "*/dicom",
        "application/dicom; transfer-syntax",
        "application/dicom; transfer-syntax=",
        'application/dicom; transfer-syntax="1.2',
        "application/dicom; transfer-syntax=1; transfer-syntax=2",
        "application/dicom; q=2",
        "application/dicom; q=high",
        "application/dicom; q=1.0001",
        'multipart/related; type="application"',
        'multipart/related; type="*/dicom"',
        "application/dicom extra",
        "image/png\n, image/jpeg\r\nX: y",
        "image/\u00e9",
        "a/b," * 2000,
    ],
)
def test_what_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(Problem, match="Accept cannot be read"):
        wishes(header)


@pytest.mark.parametrize(
    ("wish", "media_type", "multipart", "taken"),
    [
        (ANYTHING, "image/jls", True, True),
        (ANYTHING, "image/jls", False, True),
        (DICOM, "application/dicom", True, True),
        (DICOM, "application/dicom", False, False),
        (DICOM, "application/dicom+json", True, False),
        (Wish(multipart=True, type="image/*"), "image/jls", True, True),
        (Wish(multipart=True, type="image/*"), "imagery/jls", True, False),
        (Wish(multipart=False, type="image/*"), "image/png", False, True),
    ],
)
def test_a_range_takes_what_lies_in_it(
    wish: Wish, media_type: str, multipart: bool, taken: bool
) -> None:
    assert wish.takes(media_type, multipart=multipart) is taken


@settings(deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.text(alphabet='*/;,="\\q.01 atype-multipart/related', max_size=120),
    )
)
def test_no_header_is_answered_with_anything_but_wishes_or_a_refusal(header: str) -> None:
    with suppress(Problem):
        for wish in wishes(header):
            assert wish.type.count("/") >= 1
            wish.takes("image/png", multipart=False)
