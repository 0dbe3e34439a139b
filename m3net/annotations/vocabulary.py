"""The words that labels are made of, by language: `words.tsv`, and a text cut into them.

A row of the table is one idea: how it is read, its name for reports, and its words in each
language.  A word that ends in * stands for every word that begins so.  Accents, case, digits and
the capitals inside "LeftLungNodule" do not count; "Lungenrundherd" is cut into the two words that
the table has.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from itertools import accumulate

LANGUAGES = ("en", "de", "fr", "es", "it")
LONGEST_TEXT = 10_240
"""Characters that are read of a text, those of an LT; nobody calls a nodule one further on."""

_TARGET_VOLUME = re.compile(r"([GCPI]TV)")
_ORDINAL = re.compile(r"(?<=\d)(st|nd|rd|th)(?![^\W_])", re.IGNORECASE)
_DECIMAL = re.compile(r"(?<!\d)\d+[.,]\d+")
_SIZE = re.compile(
    r"(?<!\d)\d{1,3}(?=(?:[ _]*[x×*/-][ _]*\d{1,3}){0,2}[ _]*[mc]m(?![^\W_]))", re.IGNORECASE
)
"""No number of anything: "metastase D 8 mm" lies on the right, and not in a vertebra."""
_WITH = re.compile(r"(?<![a-z])w/(?![a-z])", re.IGNORECASE)
_SHORTENED = re.compile(r"\b([wrhscz])[/.](?=[a-z])", re.IGNORECASE)
_INITIALS = re.compile(r"\b([a-z])\. ?([a-z])\.", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})|(?<=\d)(?=[^\W\d])")
_TO_DIGIT = re.compile(r"(?<=[^\W\d])(?=\d)")
_PART = re.compile(r"[^\W_]+|[,;:()\[\]{}/|\n]| [-.\u2013\u2014] |\.(?= |$)")
_LIGATURES = str.maketrans({"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ø": "o", "ł": "l"})
_LEAST_PART = 3
"""Letters of a part of a compound."""
_LONGEST_COMPOUND = 40
_ENDING = 4
"""Letters that a stem's grammar may add to it; more is another word."""


class Sense(StrEnum):
    """How a word is read in a label; what each means for the label, `labels` says."""

    NODULE = "nodule"
    CANCER = "cancer"
    METASTASIS = "metastasis"
    LESION = "lesion"
    LUNG = "lung"
    ORIGIN = "origin"
    ORGAN = "organ"
    OTHER = "other"
    NEAR = "near"
    BESIDE = "beside"
    AND = "and"
    LANDMARK = "landmark"
    IN = "in"
    FROM = "from"
    LEVEL = "level"
    NO = "no"
    GONE = "gone"
    REMOVAL = "removal"
    PLANNED = "planned"
    SKIP = "skip"
    TOOL = "tool"
    BREAK = "break"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word or phrase of a text.

    says : the idea's name in the table; empty for a break or an unknown word
    """

    sense: Sense
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrase:
    """parts : the tokens in order, each with whether it stands for all that begin so."""

    parts: tuple[tuple[str, bool], ...]
    word: Word
    row: int

    def fits(self, tokens: Sequence[str], at: int) -> bool:
        return len(self.parts) <= len(tokens) - at and all(
            token.startswith(part) if stem else token == part
            for (part, stem), token in zip(self.parts, tokens[at:], strict=False)
        )

    def leaves(self, token: str) -> bool:
        """Whether it is one stem, and more than an ending is left of the token."""
        (first, stem), *more = self.parts
        return stem and not more and len(token) - len(first) > _ENDING

    def rank(self) -> tuple[int, int, bool, int]:
        """Greater wins: more tokens, more letters, a whole word; then the table's earlier row."""
        letters = sum(len(part) for part, _ in self.parts)
        return len(self.parts), letters, not any(stem for _, stem in self.parts), -self.row


_NAMES = frozenset(
    {
        Sense.NODULE,
        Sense.CANCER,
        Sense.METASTASIS,
        Sense.LESION,
        Sense.LUNG,
        Sense.ORGAN,
        Sense.OTHER,
        Sense.NEAR,
        Sense.REMOVAL,
    }
)
"""Senses that a compound may end in."""
_WRITTEN_UMLAUT = re.compile(r"(?<=[aou])e")
_BREAK = Word(sense=Sense.BREAK)
_UNKNOWN = Word(sense=Sense.UNKNOWN)
_NUMBER = Word(sense=Sense.SKIP, says="a number")


class Vocabulary:
    """The table's words of some languages."""

    def __init__(self, languages: Collection[str]) -> None:
        self._whole: dict[str, list[_Phrase]] = {}
        self._stems: dict[str, list[_Phrase]] = {}
        for phrase in _phrases(languages):
            first, stem = phrase.parts[0]
            (self._stems if stem else self._whole).setdefault(first, []).append(phrase)
        self._longest_stem = max(map(len, self._stems), default=0)

    def words_of(self, text: str) -> list[Word]:
        """The text as words of the table, in order; breaks where a new thought begins."""
        tokens = _tokens(text)
        found: list[Word] = []
        at = 0
        while at < len(tokens):
            phrase = self._longest(tokens, at) or self._longest(
                [_WRITTEN_UMLAUT.sub("", tokens[at])], 0
            )
            if phrase is None or phrase.leaves(tokens[at]):
                compound = self._compound(tokens[at])
                if compound or phrase is None:
                    found += compound or [_other(tokens[at])]
                    at += 1
                    continue
            found.append(phrase.word)
            at += len(phrase.parts)
        return found

    def _longest(self, tokens: Sequence[str], at: int) -> _Phrase | None:
        token = tokens[at]
        candidates = list(self._whole.get(token, ()))
        for beginning in accumulate(token[: self._longest_stem]):
            candidates += self._stems.get(beginning, ())
        fitting = [phrase for phrase in candidates if phrase.fits(tokens, at)]
        return max(fitting, key=_Phrase.rank, default=None)

    def _compound(self, token: str) -> list[Word]:
        """The words that a compound is made of, the last as long as can be; [] if it is none."""
        if len(token) > _LONGEST_COMPOUND:
            return []
        for cut in range(_LEAST_PART, len(token) - _LEAST_PART + 1):
            tail = self._longest([token[cut:]], 0)
            if tail is None or tail.leaves(token[cut:]) or tail.word.sense not in _NAMES:
                continue
            head = self._longest([token[:cut]], 0)
            words = [head.word] if head is not None else self._compound(token[:cut])
            if words:
                return [*words, tail.word]
        return []


@cache
def vocabulary(languages: tuple[str, ...] = LANGUAGES) -> Vocabulary:
    """The vocabulary of these languages."""
    return Vocabulary(languages)


def _other(token: str) -> Word:
    """A token that begins no phrase of the table."""
    if not any(map(str.isalnum, token)):
        return _BREAK
    return _NUMBER if token.isdigit() or len(token) == 1 else _UNKNOWN


def _tokens(text: str) -> list[str]:
    """Words in small letters without accents; a mark of punctuation where a new thought begins."""
    text = _SIZE.sub("0", _DECIMAL.sub("0", _ORDINAL.sub("", text[:LONGEST_TEXT])))
    text = _INITIALS.sub(r"\1 \2 ", text)
    text = _SHORTENED.sub(r"\1 ", _WITH.sub("with ", text))
    for pattern in (_HUMP, _TO_DIGIT):
        text = pattern.sub(" ", _TARGET_VOLUME.sub(r" \1 ", text))
    found: list[str] = _PART.findall(without_accents(text).casefold())
    return found


def without_accents(text: str) -> str:
    """The text in plain letters, as far as it has any: "Läsion" becomes "Lasion"."""
    plain = unicodedata.normalize("NFKD", text.translate(_LIGATURES))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _phrases(languages: Collection[str]) -> Iterator[_Phrase]:
    table = resources.files("m3net.annotations").joinpath("words.tsv").read_text("utf-8")
    header, *rows = (line.split("\t") for line in table.splitlines())
    for number, row in enumerate(rows):
        cells = dict(zip(header, row, strict=True))
        idea = Word(sense=Sense(cells["reads_as"]), says=cells["says"])
        for text in {text for language in languages for text in cells[language].split(", ")}:
            parts = tuple(
                (token, word.endswith("*") and token == tokens[-1])
                for word in text.split()
                for tokens in [_tokens(word.rstrip("*"))]
                for token in tokens
            )
            if parts:
                yield _Phrase(parts=parts, word=idea, row=number)
