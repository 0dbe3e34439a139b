"""What a text says of the mark that it labels: a nodule, something else, or nothing.

The nodule's own word decides ("nodule", "Rundherd", "masse"), and what the text hangs on it:

- a word that denies it ("no nodule", "Rundherd ausgeschlossen") takes it away, and so does one
  that says that it was taken out ("nodule resection");
- what is found in it, or in a patient who has it, is that ("necrosis in tumour", "lymph node,
  history of lung cancer");
- a target volume grown from it ("PTV nodule") is none;
- an organ takes it away only as its place: before or behind it ("thyroid nodule", "lesion liver",
  "carotid bulb mass"; a vertebra: "L3 metastasis"), after "in" or "of", or as a thought of its own
  ("lesion: liver").  An organ that is merely near ("nodule abutting 5th rib", "LLL, retrocardiac")
  or where the cancer came from ("metastasis of colon cancer") does not, and beside a place in the
  lung no organ does;
- "lesion", "opacity" and the like are no more than that: "lesion: cyst" is a cyst.

Without a nodule's word, an organ or another finding makes the mark that.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise, takewhile

from m3net.annotations.vocabulary import LANGUAGES, LONGEST_TEXT, Sense, Word, vocabulary

_HEADS = (Sense.NODULE, Sense.CANCER, Sense.METASTASIS, Sense.LESION)
_THINGS = (Sense.ORGAN, Sense.ORIGIN, Sense.OTHER)
_BEYOND = (Sense.UNKNOWN, Sense.BESIDE, Sense.NEAR, Sense.AND, Sense.LANDMARK)
_PARTING = (Sense.BREAK, Sense.BESIDE, Sense.AND, Sense.FROM, Sense.LANDMARK)
_FILLING = (Sense.SKIP, Sense.TOOL, Sense.LEVEL)
_WITHIN = (*_FILLING, Sense.IN, Sense.LUNG)
"""What may stand between a nodule's word and what it is found in or comes from."""
_OF_A_NAME = frozenset((*_HEADS, Sense.LUNG, Sense.SKIP, Sense.LEVEL, Sense.IN, Sense.BREAK))
"""What a nodule's name may be made of."""
_START = Word(sense=Sense.BREAK)
_BRACKETS = re.compile(r"\([^)]*\)")
_DENIED_WITHIN = 5
"""Words between "no" and the nodule that it denies."""
LONGEST_NAME = 64
"""Characters of a nodule's name."""
A_MARK = "a mark"
"""The table's name for "target", "point" and the like."""
A_TRAIT = "a trait"
"""The table's name for "left", "basal", "small" and the like."""
EXCLUDED = "excluded"
"""The table's name for "resolved", "false positive" and the like, which may be a whole comment.  A
field that holds "none" or "negative" and no more may speak of anything.
"""
DENIED = "said to be no nodule"
OF_A_NODULE = frozenset(
    {
        "bronchiectasis",
        "calcification",
        "emphysema",
        "fat",
        "haemorrhage",
        "interstitial disease",
        "necrosis",
        "oedema",
    }
)
"""The table's names for what a nodule may hold or have about it.  Of the other findings none can be
a nodule: who writes "scar" and no more means a scar.
"""


class Verdict(StrEnum):
    """What a text says of a mark."""

    NODULE = "nodule"
    LESION = "lesion"
    """No more than that something is there."""
    ELSEWHERE = "elsewhere"
    """An organ, a nodule of another organ, or no nodule at all."""
    OTHER = "other"
    """Another finding, which a nodule may have about it: a scar, a calcification."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text, understood.

    says  : in the table's words, never the text's own
    plain : the text is one thought and says nothing beyond it: no word that the table lacks, no
            place near another, no doubt
    """

    verdict: Verdict
    says: str
    plain: bool


def read_label(text: str, languages: tuple[str, ...] = LANGUAGES) -> Label:
    """What the text says of the mark that it labels."""
    return _read_label(text[:LONGEST_TEXT], languages)


@lru_cache(maxsize=1024)
def _read_label(text: str, languages: tuple[str, ...]) -> Label:
    words = vocabulary(languages).words_of(text)
    verdict, says = _read(words)
    return Label(verdict=verdict, says=says, plain="?" not in text and _is_plain(words))


def name_of(identifier: str | None) -> str:
    """A tracking identifier that names a nodule and no more, "RUL nodule 2", "Target 1"; or empty.

    Anything else is a viewer's tool, a key of some database, or words that may name a patient: Iris
    and Herz are people too.
    """
    written = (identifier or "")[:LONGEST_TEXT]
    text = " ".join("".join(c if c.isprintable() else " " for c in written).split())
    words = vocabulary().words_of(text)
    if len(text) > LONGEST_NAME or any(word.sense not in _OF_A_NAME for word in words):
        return ""
    names = any(w.sense in (*_HEADS, Sense.LUNG) or w.says == A_MARK for w in words)
    return text if names else ""


def names_lung(text: str, languages: tuple[str, ...] = LANGUAGES) -> bool:
    """Whether a site's name is the lung's or a part's; what stands in brackets does not count."""
    senses = _senses(vocabulary(languages).words_of(_BRACKETS.sub(" ", text)))
    return Sense.LUNG in senses and senses.isdisjoint((*_HEADS, *_THINGS))


def names_position(text: str) -> bool:
    """Whether a site's name says where within an organ, and of none: "left", "peripheral"."""
    words = vocabulary().words_of(text)
    return _senses(words) == {Sense.SKIP} and any(word.says == A_TRAIT for word in words)


def _is_plain(words: Sequence[Word]) -> bool:
    if not _senses(words).isdisjoint(_BEYOND):
        return False
    thoughts = [thought for thought in _thoughts(words) if _senses(thought) - {*_FILLING}]
    return len(thoughts) <= 1


def _read(words: Sequence[Word]) -> tuple[Verdict, str]:
    planned = _planned(words)
    if planned is not None:
        return Verdict.ELSEWHERE, planned
    heads = [at for at, word in enumerate(words) if word.sense in _HEADS]
    if not heads:
        return _thing(words)
    standing = [at for at in heads if not _denied(words, at)]
    if not standing:
        return Verdict.ELSEWHERE, DENIED
    standing = [at for at in standing if not (_is_neighbour(words, at) or _is_origin(words, at))]
    if not standing:
        return _thing(words)
    places: list[str] = []
    for at in standing:
        place = _elsewhere(words, at)
        if place is not None:
            places.append(place)
        elif words[at].sense is not Sense.LESION:
            return Verdict.NODULE, words[at].says
        else:
            other = next((word.says for word in words if word.sense is Sense.OTHER), None)
            return (Verdict.OTHER, other) if other else (Verdict.LESION, words[at].says)
    return Verdict.ELSEWHERE, places[0]


def _planned(words: Sequence[Word]) -> str | None:
    """The target volume that is marked; "nodule in PTV" marks the nodule."""
    for before, word in pairwise((_START, *words)):
        if word.sense is Sense.PLANNED and before.sense not in (Sense.IN, Sense.BESIDE):
            return word.says
    return None


def _thing(words: Sequence[Word]) -> tuple[Verdict, str]:
    """What a text without a nodule's word names."""
    for at, word in enumerate(words):
        if word.sense not in (Sense.REMOVAL, *_THINGS):
            continue
        if not _follows(words, at, (Sense.BESIDE, Sense.NO)):
            elsewhere = word.sense in (Sense.ORGAN, Sense.ORIGIN)
            return Verdict.ELSEWHERE if elsewhere else Verdict.OTHER, word.says
    others = _senses(words) - {Sense.GONE, Sense.BREAK, Sense.LUNG, *_FILLING}
    if not others and any(word.says == EXCLUDED for word in words):
        return Verdict.ELSEWHERE, DENIED
    return Verdict.NOTHING, ""


def _is_neighbour(words: Sequence[Word], at: int) -> bool:
    """ "lymph node next to the nodule" and "necrosis in nodule" mark what stands first."""
    leading, between = _led_by(words, at, over=_WITHIN)
    if Sense.IN in between and leading in _THINGS:
        return True
    own = _thoughts(words[:at])[-1]
    while own and own[-1].sense not in _HEADS:
        if own.pop().sense is Sense.BESIDE:
            return any(word.sense in _THINGS for word in own)
    return False


def _is_origin(words: Sequence[Word], at: int) -> bool:
    """ "adrenal metastasis of lung cancer", "scar, history of lung cancer": the first is marked."""
    leading, _ = _led_by(words, at, over=_WITHIN)
    if leading is Sense.FROM:
        return True
    if words[at].sense is not Sense.CANCER:
        return False
    first, *later = _thoughts(words[:at])
    if later and _senses(first) - {*_FILLING} == {Sense.ORGAN}:
        return True
    return _is_first(
        reversed(words[:at]), Sense.METASTASIS, Sense.FROM, before=(Sense.BREAK, Sense.AND)
    )


def _denied(words: Sequence[Word], at: int) -> bool:
    """ "no new lung nodule", "nodule excluded": within one thought."""
    near = list(reversed(words[:at]))[: _DENIED_WITHIN + 1]
    if _is_first(near, Sense.NO, before=(Sense.BREAK, Sense.BESIDE, *_HEADS, Sense.OTHER)):
        return True
    if _removed(words, at):
        return True
    leading, _ = _led_by(words, at, over=(Sense.IN,))
    if leading is Sense.GONE:
        return True
    own, *later = _thoughts(words[at + 1 :])
    answer = _senses(later[0]) if later else set()
    answered = answer == {Sense.NO} or answer - {*_FILLING} == {Sense.GONE}
    return answered or Sense.GONE in _senses(own)


def _removed(words: Sequence[Word], at: int) -> bool:
    """ "nodule resection", "scar after resection of a nodule"; not "nodule for resection"."""
    after = _beyond_filling(words, at, step=1)
    if after is not None and words[after].sense is Sense.REMOVAL:
        return True
    leading, between = _led_by(words, at, over=_WITHIN)
    return leading is Sense.REMOVAL and Sense.IN in between


def _elsewhere(words: Sequence[Word], at: int) -> str | None:
    """The organ that the nodule's word is of; None if it may be of the lung."""
    first, last = (_end_of_heads(words, at, step=step) for step in (-1, 1))
    after = _beyond_filling(words, last, step=1)
    before = _organ_before(words, first)
    if before is not None and not _follows(words, before, (Sense.BESIDE, Sense.FROM)):
        # "prostate met lung": where it came from, and where it is
        of_lung = (
            after is not None
            and words[after].sense is Sense.LUNG
            and not _before_cancer(words, after)
        )
        is_from = words[at].sense is Sense.METASTASIS and of_lung
        return None if is_from else words[before].says
    if any(word.sense is Sense.LUNG for word in words):
        return None
    if after is not None and words[after].sense is Sense.ORGAN and not _landmark(words, after):
        origin = words[at].sense is Sense.METASTASIS and _before_cancer(words, after)
        return None if origin else words[after].says
    return (
        _level(words, words[at].sense, first=first, last=last)
        or _inside_of(words, at, after=last)
        or _own_thought(words)
    )


def _organ_before(words: Sequence[Word], at: int) -> int | None:
    """The organ that a nodule's word is of: "liver mass", "carotid bulb mass", "skin of scalp met".

    A word that the table lacks parts them only where the text names a place in the lung as well.
    """
    over: tuple[Sense, ...] = _FILLING
    if all(word.sense is not Sense.LUNG for word in words):
        over = (*over, Sense.UNKNOWN, Sense.IN)
    at -= 1
    while at >= 0 and words[at].sense in over:
        at -= 1
    return at if at >= 0 and words[at].sense is Sense.ORGAN else None


def _level(words: Sequence[Word], head: Sense, *, first: int, last: int) -> str | None:
    """The vertebra that the mark is of: "L3 metastasis", "lesion in T8"; not "lesion L3".

    A lesion's letter and number may be its name, left 3 or target 8, and a nodule's its stage.
    """
    before, after, further = (
        words[at] if 0 <= at < len(words) else _START for at in (first - 1, last + 1, last + 2)
    )
    if head is Sense.METASTASIS and Sense.LEVEL in (before.sense, after.sense):
        return before.says if before.sense is Sense.LEVEL else after.says
    inside = after.sense is Sense.IN and further.sense is Sense.LEVEL
    return further.says if inside and head in (Sense.METASTASIS, Sense.LESION) else None


def _end_of_heads(words: Sequence[Word], at: int, *, step: int) -> int:
    """Where the heads end that stand together: "malignant neoplasm" is one thing."""
    while (following := _beyond_filling(words, at, step=step)) is not None:
        if words[following].sense not in _HEADS:
            return at
        at = following
    return at


def _inside_of(words: Sequence[Word], at: int, *, after: int) -> str | None:
    """The organ that a later "in" or "of" of the same thought places the nodule in."""
    for index in range(after + 1, len(words)):
        if words[index].sense in (*_PARTING, *_HEADS):
            return None
        if words[index].sense is Sense.IN:
            inside = _beyond_filling(words, index, step=1)
            if inside is not None and words[inside].sense is Sense.ORGAN:
                origin = words[at].sense is Sense.METASTASIS and _before_cancer(words, inside)
                return None if origin else words[inside].says
    return None


def _before_cancer(words: Sequence[Word], at: int) -> bool:
    after = _beyond_filling(words, at, step=1)
    return after is not None and words[after].sense is Sense.CANCER


def _own_thought(words: Sequence[Word]) -> str | None:
    """The organ if one thought of the text names an organ and nothing more: "lesion: liver"."""
    for thought in _thoughts(words):
        kept = [word for word in thought if word.sense not in _FILLING]
        if kept and all(word.sense is Sense.ORGAN for word in kept):
            return kept[0].says
    return None


def _landmark(words: Sequence[Word], at: int) -> bool:
    """ "aortic arch", "liver dome": part of an organ that serves to say where."""
    after = _beyond_filling(words, at, step=1)
    return after is not None and words[after].sense is Sense.LANDMARK


def _follows(words: Sequence[Word], at: int, senses: Sequence[Sense]) -> bool:
    """Whether one of the senses stands before the word, within its thought and no head between."""
    return _is_first(reversed(words[:at]), *senses, before=(Sense.BREAK, *_HEADS))


def _is_first(words: Iterable[Word], *senses: Sense, before: Sequence[Sense]) -> bool:
    """Whether a word of these senses comes, and before any of the others."""
    met = (word.sense for word in words if word.sense in (*senses, *before))
    return next(met, None) in senses


def _led_by(
    words: Sequence[Word], at: int, *, over: Sequence[Sense]
) -> tuple[Sense, frozenset[Sense]]:
    """The sense of the nearest word before that is not passed over, and the senses between.

    Where the text begins stands a break.
    """
    between = list(takewhile(lambda word: word.sense in over, reversed(words[:at])))
    leading = (_START, *words)[at - len(between)]
    return leading.sense, _senses(between)


def _senses(words: Iterable[Word]) -> frozenset[Sense]:
    return frozenset(word.sense for word in words)


def _beyond_filling(words: Sequence[Word], at: int, *, step: int) -> int | None:
    """The next word that says something; None if a thought ends before it."""
    index = at + step
    while 0 <= index < len(words):
        if words[index].sense not in _FILLING:
            return None if words[index].sense is Sense.BREAK else index
        index += step
    return None


def _thoughts(words: Sequence[Word]) -> list[list[Word]]:
    found: list[list[Word]] = [[]]
    for word in words:
        if word.sense is Sense.BREAK:
            found.append([])
        else:
            found[-1].append(word)
    return found
