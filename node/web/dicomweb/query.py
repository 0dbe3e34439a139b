"""What a search asks for, read from its query (PS3.18 8.3.4 and 10.6.1.2).

A parameter is an attribute, by tag or keyword, with the value that it is to have, or one of a few
words with a meaning of their own.  What nobody knows is ignored, as the Standard wants it; what
cannot be read is refused, since a search that left it out would find too much and say nothing.
Nothing of it is ever echoed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from pydicom.datadict import dictionary_has_tag, keyword_for_tag, tag_for_keyword

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.dicom.searchable import ATTRIBUTES, MOST_RESULTS, Attribute, Level, Matching
from node.persistence.search import Search
from node.web.dicomweb.query_values import conditions_of
from node.web.problems import Problem

MOST_PARAMETERS = 200
LONGEST_VALUE = 8192
"""Characters; a hundred UIDs have 6,500."""
NOT_FUZZY = "fuzzymatching is not supported; only literal matching was performed"
_WITH_A_MEANING = frozenset(
    {"accept", "charset", "emptyvaluematching", "multiplevaluematching", "fuzzymatching"}
)
_MOST_NAMED = 10

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One search, and how it is answered.

    answered : every attribute of an answer; what of them has a column is what `search` fetches
    cut      : whether `search.limit` is the node's, not the client's
    warnings : sentences about what was left out
    """

    search: Search
    answered: tuple[Attribute, ...]
    cut: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of a search of any kind.

    asked    : names of attributes, and the values that they are to have
    included : names of attributes that are wanted in the answer
    limit    : None if none is asked for
    """

    asked: tuple[tuple[str, str], ...]
    included: tuple[str, ...]
    limit: int | None
    offset: int
    warnings: tuple[str, ...]


def read_parameters(parameters: Sequence[tuple[str, str]]) -> Parameters:
    """The words with a meaning are told from attributes.  Raises Problem(400)."""
    if len(parameters) > MOST_PARAMETERS:
        raise _bad(f"more than {MOST_PARAMETERS} parameters")
    asked, included, warnings = [], [], []
    page = {"limit": "", "offset": ""}
    for name, value in parameters:
        if len(value) > LONGEST_VALUE or _CONTROL.search(value):
            raise _bad("a value is too long, or has control characters")
        word = name.lower()
        if word in page:
            page[word] = value
        elif word == "includefield":
            included += [each.strip() for each in value.split(",")]
        elif word == "fuzzymatching" and value.strip().lower() == "true":
            warnings.append(NOT_FUZZY)
        elif word not in _WITH_A_MEANING:
            asked.append((name, value.strip()))
    return Parameters(
        asked=tuple(asked),
        included=tuple(included),
        limit=_whole(page["limit"], "limit") if page["limit"] else None,
        offset=_whole(page["offset"], "offset") if page["offset"] else 0,
        warnings=tuple(warnings),
    )


def read_query(
    parameters: Sequence[tuple[str, str]],
    level: Level,
    *,
    study: StudyInstanceUID | None = None,
    series: SeriesInstanceUID | None = None,
) -> Query:
    """What is searched for; within a study or a series if the path names one.

    Raises Problem(400) for what cannot be read.
    """
    said = read_parameters(parameters)
    asked: dict[Attribute, list[str]] = {}
    included = {attribute for name in said.included for attribute in _known(name, level)}
    ignored: list[str] = []
    for name, value in said.asked:
        found = _known(name, level)
        included |= {*found}
        matched = [each for each in found if each.matching is not Matching.NONE]
        for attribute in matched:
            asked.setdefault(attribute, []).append(value)
        if not matched:
            ignored.append(name)
    everything = any(name.lower() == "all" for name in said.included)
    answered = _answered(level, study, series, included, everything=everything)
    limit = MOST_RESULTS if said.limit is None else said.limit
    return Query(
        search=Search(
            level=level,
            study=study,
            series=series,
            conditions=conditions_of(asked),
            answered=tuple(each for each in answered if each.column),
            limit=min(limit, MOST_RESULTS),
            offset=said.offset,
        ),
        answered=answered,
        cut=said.limit is None or said.limit > MOST_RESULTS,
        warnings=(*said.warnings, *not_matched(ignored)),
    )


def not_matched(names: Sequence[str]) -> list[str]:
    """The warning about attributes that are no keys of this search; those nobody knows need none.

    They are named in the dictionary's words, not in the client's.
    """
    tags = [path_of(name)[-1] for name in names]
    known = [keyword_for_tag(tag) for tag in tags if tag is not None and dictionary_has_tag(tag)]
    if not known:
        return []
    listed = ", ".join(dict.fromkeys(known[:_MOST_NAMED]))
    return [f"not matched at this level, and ignored: {listed}"]


def path_of(name: str) -> tuple[int | None, ...]:
    """The tags of a tag, a keyword or a dotted path of them; None for what is neither."""
    return tuple(
        int(each, 16) if _TAG.fullmatch(each) else tag_for_keyword(each) for each in name.split(".")
    )


def _bad(says: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, says)


def _whole(text: str, name: str) -> int:
    if not _DIGITS.fullmatch(text.strip()):
        raise _bad(f"{name} is no whole number of at most nine digits")
    return int(text)


def _known(name: str, level: Level) -> list[Attribute]:
    """The attributes of that tag or keyword, or path of them, that a search at this level knows."""
    path = path_of(name)
    if None in path:
        return []
    return [
        each
        for known in Level
        if known <= level
        for each in ATTRIBUTES[known]
        if each.path == path or each.path[:-1] == path
        if each.column or known is level
    ]


def _answered(
    level: Level,
    study: StudyInstanceUID | None,
    series: SeriesInstanceUID | None,
    included: set[Attribute],
    *,
    everything: bool,
) -> tuple[Attribute, ...]:
    """PS3.18 10.6.3.3: of a level above all that is always answered, if the path does not name it.

    The UIDs above are answered in any case, so that what is found can be retrieved.
    """
    named = {Level.STUDY: study is not None, Level.SERIES: series is not None}
    found: list[Attribute] = []
    for above in Level:
        if above > level:
            break
        unasked = above is level or not named[above]
        found += [
            each
            for each in ATTRIBUTES[above]
            if each.column or above is level
            if each in included
            or (unasked and each.always)
            or (everything and above is level)
            or each.column in ("study_instance_uid", "series_instance_uid")
        ]
    return tuple(found)
