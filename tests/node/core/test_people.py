"""Roles, and which texts are names."""

import pytest

from node.core.errors import Unsuitable
from node.core.people import Role, checked_name, name_key


def test_an_operator_may_all_and_the_others_only_their_own() -> None:
    may = {(has, needed) for has in Role for needed in Role if has.includes(needed)}
    assert may == {
        (Role.VIEWER, Role.VIEWER),
        (Role.SENDER, Role.SENDER),
        (Role.OPERATOR, Role.VIEWER),
        (Role.OPERATOR, Role.OPERATOR),
        (Role.OPERATOR, Role.SENDER),
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "aNNA"),
        ("Müller", "Mu\u0308ller"),
        ("Straße", "STRASSE"),
        ("\uff21nna", "anna"),  # full width
        ("\u1e9eb", "ssb"),
        ("\u212bke", "åke"),  # the angstrom sign
    ],
)
def test_spellings_of_one_name_are_one_name(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)
    assert name_key(name_key(one)) == name_key(one)


def test_names_of_every_script_are_names_in_one_form() -> None:
    for name in ("anna", "o.hara", "李明", "Ольга", "anna@HOSPITAL.EXAMPLE", "x-ray_2", "हिन्दी"):
        assert checked_name(name) == name
    assert checked_name("Mu\u0308ller") == "Müller"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 65,
        "anna\n2026 anna may all",
        "anna\r",
        "anna\0",
        "anna smith",
        " anna",
        "\u202eanna",  # turns the direction of writing
        "an\u200bna",  # is not seen
        "an\u00adna",
        "anna\x1b[31m",
        "anna\u2028",
        "<script>",
        "anna,bob",
        "anna=operator",
        "../anna",
        "-anna",
        ".anna",
        "\u0301anna",
        "local",
        "LOCAL",
        "\uff4cocal",
        "anna\ud800",
    ],
)
def test_what_could_mislead_a_reader_is_no_name(name: str) -> None:
    with pytest.raises(Unsuitable) as refused:
        checked_name(name)
    assert not name or name not in str(refused.value) or name.lower() == "local"
