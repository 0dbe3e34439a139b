"""A text cut into the table's words: compounds, endings, punctuation, and what none of them is."""

import pytest

from m3net.annotations.vocabulary import Sense, vocabulary, without_accents


def senses(text: str) -> list[str]:
    return [word.sense.value for word in vocabulary().words_of(text)]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("lung nodule", ["lung", "nodule"]),
        ("LeftLungNodule", ["skip", "lung", "nodule"]),
        ("LUNG_NODULE", ["lung", "nodule"]),
        ("PTVnodule", ["planned", "nodule"]),
        ("nodule2", ["nodule", "skip"]),
        ("2nodules", ["skip", "nodule"]),
        ("12,5 mm nodule", ["skip", "skip", "nodule"]),
        ("w/ aorta", ["and", "organ"]),
        ("h/o nodule", ["from", "nodule"]),
        ("Läsion", ["lesion"]),
        ("laesion", ["lesion"]),
        ("lymph nodes", ["organ"]),
        ("foo x 7", ["unknown", "skip", "skip"]),
        ("", []),
        ("_", []),
    ],
)
def test_a_text_is_cut_into_the_tables_words(text: str, read: list[str]) -> None:
    assert senses(text) == read


@pytest.mark.parametrize("mark", [",", ";", ":", "(", ")", "/", "|", "\n", " - ", " \u2013 ", ". "])
def test_a_mark_of_punctuation_begins_a_new_thought(mark: str) -> None:
    assert senses(f"nodule{mark}liver") == ["nodule", "break", "organ"]
    assert senses(mark) == ["break"]


def test_a_hyphen_and_a_dot_within_words_join_them() -> None:
    assert senses("lung-nodule") == senses("lung.nodule") == ["lung", "nodule"]


@pytest.mark.parametrize(
    ("compound", "read"),
    [
        ("Lungenrundherd", ["lung", "nodule"]),
        ("Lungenknötchen", ["lung", "nodule"]),
        ("Lungenknoetchen", ["lung", "nodule"]),
        ("Rippenmetastase", ["organ", "metastasis"]),
        ("Lymphknotenmetastase", ["organ", "metastasis"]),
        ("Leberlunge", ["organ", "lung"]),
        ("Herdlunge", ["nodule", "lung"]),
        # the head must be a word of the table as well
        ("xxxlunge", ["unknown"]),
        ("xlunge", ["unknown"]),
        # two letters at a word's end are no word of their own, though "os" alone is a bone
        ("lungos", ["unknown"]),
        ("herdos", ["unknown"]),
    ],
)
def test_a_compound_is_the_words_that_it_is_made_of(compound: str, read: list[str]) -> None:
    assert senses(compound) == read


def test_a_compound_of_forty_letters_is_taken_apart_and_no_longer_one() -> None:
    long = "leberlungenmetastasenmetastasenmetastase"
    assert (len(long), senses(long)) == (40, ["organ", "metastasis"])
    assert (len(f"{long}n"), senses(f"{long}n")) == (41, ["organ"])


@pytest.mark.parametrize(
    ("word", "is_one"), [("lesio", False), ("scar", True), ("scarring", True), ("scabies", False)]
)
def test_a_stem_stands_for_every_word_that_begins_so(word: str, is_one: bool) -> None:
    assert (senses(word) != ["unknown"]) is is_one


def test_few_languages_know_few_words() -> None:
    german = vocabulary(("de",))
    assert [word.sense for word in german.words_of("Rundherd")] == [Sense.NODULE]
    assert [word.sense for word in german.words_of("poumon")] == [Sense.UNKNOWN]


def test_what_a_word_says_is_the_tables_name_for_it() -> None:
    words = vocabulary().words_of("aorta, 3 foo")
    assert [word.says for word in words] == ["aorta", "", "a number", ""]


def test_accents_and_ligatures_are_plain_letters() -> None:
    assert without_accents("Läsion cœur nódulo łagodny") == "Lasion coeur nodulo lagodny"
