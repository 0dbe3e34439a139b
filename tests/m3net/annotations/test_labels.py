"""Labels as people write them, in five languages, each with what it makes of a mark."""

from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m3net.annotations.labels import Verdict, name_of, names_lung, read_label
from m3net.annotations.meaning import Meaning, Said, meaning_of
from m3net.annotations.vocabulary import LANGUAGES, LONGEST_TEXT, Sense, vocabulary

TABLE = [
    line.split("\t")
    for line in Path(__file__).with_name("labels.tsv").read_text("utf-8").splitlines()[1:]
]
EXPECTED = {"nodule": Meaning.NODULE, "other": Meaning.OTHER, "nothing": Meaning.UNSAID}


def test_the_table_holds_hundreds_of_labels_in_every_language() -> None:
    assert len(TABLE) > 600
    assert len({label for _, _, label in TABLE}) == len(TABLE)
    for language in LANGUAGES:
        assert {verdict for of, verdict, _ in TABLE if of == language} == set(EXPECTED)


def test_every_label_means_what_the_table_says() -> None:
    wrong = [
        (label, verdict, read.meaning)
        for _, verdict, label in TABLE
        if (read := meaning_of(Said(texts=(label,)))).meaning is not EXPECTED[verdict]
    ]
    assert wrong == []


@pytest.mark.parametrize("text", ["1 ", "1", "x ", "8 x 6 "])
def test_a_text_of_numbers_alone_is_read_at_once(text: str) -> None:
    """What anybody may write at any length must not hold up a process."""
    begun = process_time()
    assert read_label(text * (LONGEST_TEXT // len(text))).verdict is Verdict.NOTHING
    assert process_time() - begun < 1.0


def test_case_underscores_and_numbers_change_no_verdict() -> None:
    for _, verdict, label in TABLE:
        if label.isupper() or not label.isascii():
            continue
        for written in (label.upper(), label.lower(), label.replace(" ", "_"), f"{label} 3"):
            read = meaning_of(Said(texts=(written,))).meaning
            assert read is EXPECTED[verdict], written


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("nodule", (Verdict.NODULE, "nodule", True)),
        ("nodule 3", (Verdict.NODULE, "nodule", True)),
        ("3: nodule", (Verdict.NODULE, "nodule", True)),
        ("Nodule?", (Verdict.NODULE, "nodule", False)),
        ("nodule behind the heart", (Verdict.NODULE, "nodule", False)),
        ("nodule and scar", (Verdict.NODULE, "nodule", False)),
        ("nodule; rib fracture", (Verdict.NODULE, "nodule", False)),
        ("nodule of Mrs Smith", (Verdict.NODULE, "nodule", False)),
        ("Lesion 1", (Verdict.LESION, "lesion", True)),
        ("lesion: cyst", (Verdict.OTHER, "cyst", False)),
        ("scar", (Verdict.OTHER, "scar", True)),
        ("cyst in nodule", (Verdict.OTHER, "cyst", True)),
        ("after lobectomy", (Verdict.OTHER, "removal", False)),
        ("aorta", (Verdict.ELSEWHERE, "aorta", True)),
        ("aortic arch", (Verdict.ELSEWHERE, "aorta", False)),
        ("lesion: liver", (Verdict.ELSEWHERE, "liver", False)),
        ("PTV", (Verdict.ELSEWHERE, "planning volume", True)),
        ("no nodule", (Verdict.ELSEWHERE, "said to be no nodule", True)),
        ("RUL resolved", (Verdict.ELSEWHERE, "said to be no nodule", True)),
        ("fat resolved", (Verdict.OTHER, "fat", True)),
        ("none", (Verdict.NOTHING, "", True)),
        ("RUL", (Verdict.NOTHING, "", True)),
        ("", (Verdict.NOTHING, "", True)),
    ],
)
def test_a_label_says_what_is_marked_and_whether_it_says_anything_beyond(
    label: str, expected: tuple[Verdict, str, bool]
) -> None:
    read = read_label(label)
    assert (read.verdict, read.says, read.plain) == expected


@pytest.mark.parametrize(("between", "denied"), [(0, True), (5, True), (6, False)])
def test_no_denies_a_nodule_five_words_further_on(between: int, denied: bool) -> None:
    read = read_label(" ".join(["no", *["foo"] * between, "nodule"]))
    assert (read.verdict is Verdict.ELSEWHERE) is denied


def test_how_a_text_begins_changes_nothing_of_what_it_says() -> None:
    for label in ("history of lung cancer", "scar after resection of lung cancer", "nodule"):
        assert read_label(f", {label}").verdict is read_label(label).verdict
        assert read_label(f"1: {label}").verdict is read_label(label).verdict


def test_what_is_read_of_a_text_has_an_end() -> None:
    assert read_label("." * 10_233 + " nodule").verdict is Verdict.NODULE
    assert read_label("." * 10_237 + " nodule").verdict is Verdict.NOTHING


def test_what_is_said_is_never_the_labels_own_word() -> None:
    for _, _, label in TABLE:
        assert "ZXQW" not in read_label(f"{label} ZXQW").says
        assert "ZXQW" not in read_label(f"ZXQW, {label}").says


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("Nodule 1", "Nodule 1"),
        ("  RUL   nodule\t2 ", "RUL nodule 2"),
        ("Target 1", "Target 1"),
        ("cornerstoneTools@^4.0.0:Length", ""),
        ("Cornerstone3DTools:ArrowAnnotate", ""),
        ("Bidirectional", ""),
        ("Nodule of Mrs Smith", ""),
        ("IL057_127364", ""),
        ("Patient 4711 nodule 2", ""),
        ("Nodule Iris", ""),
        ("Nodule in RUL", "Nodule in RUL"),
        ("Case 12, nodule 3", ""),
        ("1", ""),
        ("", ""),
        (None, ""),
        ("nodule " * 20, ""),
        ("nodule 1 " * 7 + "1", "nodule 1 " * 7 + "1"),
        ("nodule 1 " * 7 + "12", ""),
        ("lung", "lung"),
        ("nodule\x08 \x1b2\n", "nodule 2"),
        ("scar", ""),
    ],
)
def test_a_name_is_made_of_the_tables_words_alone(identifier, name) -> None:
    assert name_of(identifier) == name


def test_a_site_is_the_lungs_by_its_name_outside_of_brackets() -> None:
    assert names_lung("medial basal (cardiac) segment of right lung")
    assert names_lung("Linguła")
    assert not names_lung("Pleura of lung")
    assert not names_lung("Pulmonary artery")
    assert not names_lung("Mediastinum (lung)")
    assert not names_lung("")


def test_of_few_languages_only_their_words_count() -> None:
    assert read_label("Rundherd", ("en",)).verdict is Verdict.NOTHING
    assert read_label("Rundherd", ("en", "de")).verdict is Verdict.NODULE


def test_every_word_of_the_table_is_read_as_its_row_says() -> None:
    senses = {word.sense for word in vocabulary().words_of("lung nodule near the 5th rib")}
    assert senses == {Sense.LUNG, Sense.NODULE, Sense.BESIDE, Sense.IN, Sense.SKIP, Sense.ORGAN}


def test_a_text_without_end_is_read_in_no_time() -> None:
    assert read_label("nodule " + "xaortalungennodul" * 100_000).verdict is Verdict.NODULE
    assert read_label("((((" * 10_000).verdict is Verdict.NOTHING
    assert read_label("no " * 10_000 + "nodule").verdict is Verdict.NOTHING


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(
            ["nodule", "no", "liver", "RUL", "2", "\n", "\r", "\t", "\x85", " - ", ".", "("]
        )
        | st.text(max_size=4)
    ).map("".join)
)
def test_whatever_a_text_holds_it_is_read(text: str) -> None:
    assert "\n" not in read_label(text).says
    assert name_of(text).isprintable()
    names_lung(text)
