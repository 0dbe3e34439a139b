"""The values that a search asks for, each by the rules of its attribute (PS3.4 C.2.2.2)."""

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from node.dicom.header_text import is_uid
from node.dicom.searchable import Attribute, Matching
from node.persistence.matching import Between, BetweenMoments, Condition, OneOf
from node.web.problems import Problem

_LIST = re.compile(r"[,\\]")
_DATE = re.compile(r"[0-9]{8}")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9]|60)?)?")
_FRACTION = re.compile(r"[0-9]{6}\.[0-9]{1,6}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")
_GREATEST = (1 << 31) - 1
_WITH_DATE: Mapping[str, str] = {
    "StudyTime": "StudyDate",
    "SeriesTime": "SeriesDate",
    "PerformedProcedureStepStartTime": "PerformedProcedureStepStartDate",
}


def conditions_of(asked: Mapping[Attribute, Sequence[str]]) -> tuple[Condition, ...]:
    """What the values that are asked for mean; an empty one, or "*", asks for nothing.

    Raises Problem(400) for one that breaks the rules of its attribute.
    """
    found: dict[str, Condition] = {}
    for attribute, values in asked.items():
        said = [each for each in values if each.strip("*")]
        condition = _READERS[attribute.matching](attribute, said)
        if condition is not None:
            found[attribute.keyword] = condition
    # A range of times with a range of dates is one range of moments (PS3.4 C.2.2.2.5).
    for of_time, of_date in _WITH_DATE.items():
        time, date = found.get(of_time), found.get(of_date)
        if isinstance(time, Between) and isinstance(date, Between) and time.low != time.high:
            found[of_date] = BetweenMoments(date=date, time=time)
            del found[of_time]
    return tuple(found.values())


def _uids(attribute: Attribute, values: Sequence[str]) -> OneOf | None:
    uids = [uid.strip() for value in values for uid in _LIST.split(value) if uid.strip()]
    if not uids or "*" in uids:
        return None
    if not all(map(is_uid, uids)):
        raise Problem(HTTPStatus.BAD_REQUEST, f"{attribute.keyword} is no list of UIDs")
    return OneOf(attribute=attribute, values=tuple(dict.fromkeys(uids)))


def _codes(attribute: Attribute, values: Sequence[str]) -> OneOf | None:
    return _texts(attribute, [code.strip() for value in values for code in _LIST.split(value)])


def _texts(attribute: Attribute, values: Sequence[str]) -> OneOf | None:
    # As they are kept: spaces do not count at the ends, nor how many there are.
    values = [re.sub(r"\*+", "*", " ".join(each.split())) for each in values if each]
    if not values or "*" in values:
        return None
    return OneOf(attribute=attribute, values=tuple(dict.fromkeys(values)))


def _numbers(attribute: Attribute, values: Sequence[str]) -> OneOf | None:
    if not values:
        return None
    if not all(_NUMBER.fullmatch(each) and abs(int(each)) <= _GREATEST for each in values):
        raise Problem(HTTPStatus.BAD_REQUEST, f"{attribute.keyword} is no whole number")
    return OneOf(attribute=attribute, values=tuple(values))


def _dates(attribute: Attribute, values: Sequence[str]) -> Between | None:
    return _range(attribute, values, lambda text: bool(_DATE.fullmatch(text)), "YYYYMMDD")


def _times(attribute: Attribute, values: Sequence[str]) -> Between | None:
    plain = [each.replace(":", "") for each in values]
    return _range(attribute, plain, _is_time, "HHMMSS")


def _is_time(text: str) -> bool:
    whole = _FRACTION.fullmatch(text)
    return bool(_TIME.fullmatch(text[:6] if whole else text))


def _range(
    attribute: Attribute, values: Sequence[str], is_one: Callable[[str], bool], form: str
) -> Between | None:
    if not values:
        return None
    low, dash, high = values[0].partition("-")
    low, high = low.strip(), high.strip()
    ends = [each for each in (low, high) if each]
    if len(values) > 1 or not ends or not all(map(is_one, ends)):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"{attribute.keyword} is neither {form} nor a range of two of them",
        )
    return Between(attribute=attribute, low=low, high=high if dash else low)


_READERS: Mapping[Matching, Callable[[Attribute, Sequence[str]], OneOf | Between | None]] = {
    Matching.UID: _uids,
    Matching.TEXT: _texts,
    Matching.CODE: _codes,
    Matching.NAME: _texts,
    Matching.DATE: _dates,
    Matching.TIME: _times,
    Matching.NUMBER: _numbers,
}
