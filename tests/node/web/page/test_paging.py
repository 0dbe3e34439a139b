"""What the address of a list asks for, and where its links lead."""

from collections.abc import Mapping

import pytest

from node.persistence.asked import Page
from node.web.page.paging import ListAsked, Listed


def asked(query: Mapping[str, str]) -> ListAsked:
    return ListAsked.of(
        "/", query, filters={"state": ["dead", "done"]}, orders=["arrival", "accession"]
    )


def listed(query: Mapping[str, str], *, total: int, rows: int = 50) -> Listed:
    page = Page(rows=list(range(rows)), total=total, offset=0)
    return Listed.of(asked(query), page)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"page": "0"},
        {"page": "-1"},
        {"page": "²"},
        {"page": "1e9"},
        {"page": "99999999999999999999"},
        {"state": "no such"},
        {"sort": "patient_name"},
        {"q": "   "},
    ],
)
def test_what_makes_no_sense_counts_as_not_said(query: Mapping[str, str]) -> None:
    assert asked(query).href() == "/"
    assert asked(query).offset == 0


def test_everything_that_is_asked_stands_in_every_link() -> None:
    query = {"q": "A1 & b", "state": "dead", "sort": "accession", "dir": "up", "page": "3"}
    assert asked(query).offset == 100
    assert asked(query).href() == "/?q=A1+%26+b&state=dead&sort=accession&dir=up&page=3"


def test_a_page_in_the_middle_leads_everywhere() -> None:
    middle = listed({"page": "2"}, total=100_000)
    assert middle.range == "51 to 100 of 100,000"
    assert [(each.title, each.href) for each in middle.steps] == [
        ("First", "/"),
        ("Previous", "/"),
        ("page 2 of 2,000", ""),
        ("Next", "/?page=3"),
        ("Last", "/?page=2000"),
    ]


def test_the_last_page_leads_on_to_nothing() -> None:
    assert [each.title for each in listed({"page": "2"}, total=51, rows=1).steps] == [
        "First",
        "Previous",
        "page 2 of 2",
    ]


def test_one_page_has_no_links() -> None:
    assert listed({}, total=50).steps == ()
    assert listed({}, total=50).range == "1 to 50 of 50"
    assert listed({}, total=0, rows=0).range == "none"


def test_a_page_beyond_the_last_says_how_many_there_are() -> None:
    assert listed({"page": "9"}, total=60, rows=0).range == "nothing on this page; there are 60"


def test_a_column_is_sorted_and_sorted_the_other_way_round() -> None:
    assert listed({}, total=1).order_of("arrival") == "descending"
    assert listed({}, total=1).sorted_by("arrival") == "/?dir=up"
    assert listed({"dir": "up"}, total=1).order_of("arrival") == "ascending"
    assert listed({"dir": "up"}, total=1).sorted_by("arrival") == "/"
    assert listed({"page": "4"}, total=1).sorted_by("accession") == "/?sort=accession"
