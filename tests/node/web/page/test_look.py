"""Whatever a header says, it is shown as text, and disguises nothing that stands beside it."""

from datetime import UTC, datetime

import pytest
from markupsafe import Markup

from node.listed.studies import uid_ends
from node.web.page.look import environment, uid_end, when


def rendered(value: object) -> str:
    return environment().from_string("[{{ value }}]").render(value=value)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("A17", "[A17]"),
        ("<script>alert(1)</script>", "[&lt;script&gt;alert(1)&lt;/script&gt;]"),
        ('" onmouseover="x', "[&#34; onmouseover=&#34;x]"),
        ("{{ 7 * 7 }}", "[{{ 7 * 7 }}]"),
        ("safe\u202egnp.exe", "[safe\ufffdgnp.exe]"),
        ("\u2066a\u2069", "[\ufffda\ufffd]"),
        ("\u200fA", "[\ufffdA]"),
        ("a\x00b\x1b[31mc\x7f\x9b", "[a\ufffdb\ufffd[31mc\ufffd\ufffd]"),
        ("a\u2028b", "[a\ufffdb]"),
        ("\ud800", "[\ufffd]"),
        ("\ue000\U000e0041", "[\ufffd\ufffd]"),
        ("می\u200cخواهم", "[می\u200cخواهم]"),
        ("Müller^Jürgen", "[Müller^Jürgen]"),
        ("山田^太郎", "[山田^太郎]"),
        (None, "[]"),
        (0, "[0]"),
    ],
)
def test_a_text_is_shown_as_text(said: object, shown: str) -> None:
    assert rendered(said) == shown


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    shown = rendered("x" * 10_000)
    assert shown == "[" + "x" * 1000 + "… (10000 characters)]"


def test_what_a_filter_makes_is_as_safe() -> None:
    ends = uid_ends(['1.2.3"><b>', "1.2.840.113619.2.55.3"])
    assert uid_end('1.2.3"><b>', ends) == Markup(
        '<span title="1.2.3&#34;&gt;&lt;b&gt;">1.2.3&#34;&gt;&lt;b&gt;</span>'
    )
    assert uid_end("1.2.840.113619.2.55.3", ends) == Markup(
        '<span title="1.2.840.113619.2.55.3">…13619.2.55.3</span>'
    )


def test_a_time_says_to_programs_where_it_is_noon() -> None:
    noon = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert 'datetime="2026-03-01T12:00:00+00:00"' in when(noon)
    assert when(None) == ""


def test_a_misspelt_name_in_a_template_is_an_error() -> None:
    with pytest.raises(Exception, match="'vlaue' is undefined"):
        environment().from_string("{{ vlaue }}").render(value=1)
