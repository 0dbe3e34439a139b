"""What a client wants most is what it gets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.web.media_ranges import preferred
from node.web.problems import Form

OF_PAGES = [form.value for form in (Form.PAGE, Form.TEXT, Form.JSON)]
OF_PROGRAMS = [form.value for form in (Form.JSON, Form.TEXT, Form.PAGE)]
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "of_pages", "of_programs"),
    [
        (CHROME, Form.PAGE, Form.PAGE),
        (FIREFOX, Form.PAGE, Form.PAGE),
        ("application/json;q=0.9, text/html", Form.PAGE, Form.PAGE),
        ("text/html;q=0.9, application/json", Form.JSON, Form.JSON),
        ("application/json, text/plain, */*", Form.JSON, Form.JSON),
        ("application/dicom+json", Form.JSON, Form.JSON),
        ("application/problem+json;q=0.5, text/plain;q=0.4", Form.JSON, Form.JSON),
        ("application/dicom+json;q=0, application/json", Form.JSON, Form.JSON),
        ("TEXT/Plain", Form.TEXT, Form.TEXT),
        ("*/*", Form.PAGE, Form.JSON),
        ("application/*", Form.JSON, Form.JSON),
        ("text/*", Form.PAGE, Form.TEXT),
        ("text/html;q=0, */*", Form.TEXT, Form.JSON),
        ("application/json;q=0, */*;q=0.1", Form.PAGE, Form.TEXT),
        ("text/*;q=0.2, text/plain;q=0.1", Form.PAGE, Form.PAGE),
        ("text/html;q=0", None, None),
        ("*/*;q=0", None, None),
        ("image/png", None, None),
        ('multipart/related; type="application/dicom+json"', None, None),
        ("application/jsonp", None, None),
        ("", None, None),
        ("json", None, None),
        ("text/html;q=2", None, None),
        ("text/html;q=yes", None, None),
        ("*/html", None, None),
        ('text/html;note="', None, None),
        ("text/html," * 1000, None, None),
    ],
)
def test_what_is_wanted_most_is_chosen_as_rfc_9110_says(
    header: str, of_pages: Form | None, of_programs: Form | None
) -> None:
    assert preferred(header, OF_PAGES) == (of_pages and of_pages.value)
    assert preferred(header, OF_PROGRAMS) == (of_programs and of_programs.value)


@settings(deadline=None)
@given(st.text(alphabet='*/;,="\\q.01 textjsonhtml+', max_size=120))
def test_nonsense_is_no_wish_and_no_failure(header: str) -> None:
    assert preferred(header, OF_PAGES) in (None, *OF_PAGES)
