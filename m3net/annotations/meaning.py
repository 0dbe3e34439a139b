"""What an annotation says of one mark: that it is a nodule, something else, or nothing at all.

1. A code that names something else, a lobe among others, makes the mark that, whatever its
   label says.
2. So does a text that names an organ, another organ's nodule, or no nodule, and nothing beyond;
   and one that names what no nodule can be ("scar"), if no other text names a nodule.
3. A code that says nodule, mass, tumour or the like makes it one.
4. Generic codes (Tissue, Organ, a region of interest) say nothing: the texts decide, the first that
   says anything before the next.  "Lesion" is as good as nodule where no text says otherwise.
5. A coded site that is not the lung or a part of it takes any nodule away.

A user's own words (labels, comments, tracking identifiers, ROI names) are read and never repeated:
they may hold a patient's name.  A `Reading` speaks in a public code's words or those of our tables.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum

from pydicom.sr.coding import Code

from m3net.annotations.coding import Sort, is_typed, sort_of, spoken
from m3net.annotations.labels import OF_A_NODULE, Label, Verdict, read_label
from m3net.annotations.vocabulary import LANGUAGES

_OF_NODULES = (Verdict.NODULE, Verdict.LESION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an annotation says of one mark.

    kind     : Segmented Property Type, Finding, ROI observation: what it is
    category : of what sort that is; counts only where there is no kind
    site     : Anatomic Region, Finding Site: where it is
    texts    : labels, ROI names, tracking identifiers, comments, in this order of their weight;
               read, never repeated
    """

    kind: Code | None = None
    category: Code | None = None
    site: Code | None = None
    texts: tuple[str, ...] = ()


class Meaning(StrEnum):
    """What a mark is, as far as the node is concerned."""

    NODULE = "nodule"
    OTHER = "other"
    """It is said to be something else, or to be elsewhere than in the lung."""
    UNSAID = "unsaid"
    """Nothing says what it is: a ruler, "ROI-1"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was understood.

    says : for people, from codes or our own table, never a user's words: "Liver", "nodule"; of an
           unsaid mark its generic code ("Tissue"), else empty
    """

    meaning: Meaning
    says: str


_LANGUAGES: ContextVar[tuple[str, ...]] = ContextVar("languages", default=LANGUAGES)


@contextmanager
def nodules_named_in(languages: Sequence[str]) -> Iterator[None]:
    """Inside, only words of these languages make a mark a nodule.

    What a text makes something else, it does in any language.
    """
    before = _LANGUAGES.set(tuple(languages))
    try:
        yield
    finally:
        _LANGUAGES.reset(before)


def meaning_of(said: Said) -> Reading:
    """What the mark is, by everything that is said of it."""
    reading = _without_site(said)
    if reading.meaning is Meaning.OTHER or said.site is None:
        return reading
    if sort_of(said.site) is Sort.LUNG:
        return reading
    return _other(f"a finding in: {spoken(said.site)}")


def _without_site(said: Said) -> Reading:
    code = said.kind or said.category
    texts = said.texts
    if code is not None and is_typed(code):
        texts = (code.meaning, *texts)
    sort = Sort.GENERIC if code is None or is_typed(code) else sort_of(code)
    if code is not None and sort in (Sort.OTHER, Sort.LUNG):
        return _other(spoken(code))
    labels = [_in_force(text) for text in texts]
    named = any(each.verdict is Verdict.NODULE for each in labels)
    plain = next((each for each in labels if each.plain and _denies(each, named=named)), None)
    if plain is not None:
        return _other(plain.says)
    if sort is Sort.NODULE:
        return Reading(meaning=Meaning.NODULE, says="nodule")
    in_lung = said.site is not None and sort_of(said.site) is Sort.LUNG
    lesion = sort is Sort.LESION
    for label in labels:
        match label.verdict:
            case Verdict.NODULE:
                return Reading(meaning=Meaning.NODULE, says="nodule")
            case Verdict.LESION:
                lesion = True
            case Verdict.ELSEWHERE | Verdict.OTHER if label.plain or not in_lung:
                return _other(label.says)
    if lesion:
        return Reading(meaning=Meaning.NODULE, says="lesion")
    says = "" if code is None or is_typed(code) else spoken(code)
    return Reading(meaning=Meaning.UNSAID, says=says)


def _denies(label: Label, *, named: bool) -> bool:
    """Whether a thought of its own takes a nodule away; `named`: another text names one."""
    if label.verdict is Verdict.OTHER:
        return not named and label.says not in OF_A_NODULE
    return label.verdict is Verdict.ELSEWHERE


def _in_force(text: str) -> Label:
    """The text as it is read in every language; no nodule if only another language names one."""
    label = read_label(text)
    languages = _LANGUAGES.get()
    if languages == LANGUAGES or label.verdict not in _OF_NODULES:
        return label
    named = read_label(text, languages).verdict in _OF_NODULES
    return label if named else replace(label, verdict=Verdict.NOTHING, says="")


def _other(says: str) -> Reading:
    return Reading(meaning=Meaning.OTHER, says=says)
