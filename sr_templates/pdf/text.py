"""What can be written with the fonts that every PDF reader has, and whose a document is.

The standard fonts hold Windows-1252.  A name that they cannot write is never altered: the page then
says that it stands in the DICOM header.
"""

import unicodedata
from collections.abc import Sequence

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag

from sr_templates.character_sets import (
    UNREADABLE,
    character_set_of,
    read_element,
    stored,
)

_ELSEWHERE = "(in the DICOM header)"


def printable(text: str) -> str:
    """Our own words, one line, in letters that the fonts have; what is left is "?"."""
    line = " ".join(text.split())
    return "".join(letter if _has(letter) else _folded(letter) for letter in line)


def _has(letter: str) -> bool:
    return letter.isprintable() and bool(letter.encode("cp1252", "ignore"))


def _folded(letter: str) -> str:
    plain = "".join(
        part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)
    )
    return plain if plain and all(map(_has, plain)) else "?"


def whose(subject: Dataset) -> Sequence[str]:
    """Two lines that tell whose study it is; empty parts are left out.

    A page that lies on a desk must say whose it is, as a picture within a viewer need not.
    """
    name = _value(subject, "PatientName").replace("^", " ")
    patient = (
        ("Patient", " ".join(name.split())),
        ("ID", _value(subject, "PatientID")),
        ("born", _date(_value(subject, "PatientBirthDate"))),
        ("sex", _value(subject, "PatientSex")),
    )
    study = (
        ("Study of", _date(_value(subject, "StudyDate"))),
        ("accession", _value(subject, "AccessionNumber")),
        ("", _value(subject, "StudyDescription")),
    )
    return tuple(line for line in map(_line, (patient, study)) if line)


def _line(parts: Sequence[tuple[str, str]]) -> str:
    return " · ".join(f"{label} {value}".strip() for label, value in parts if value)


def _value(subject: Dataset, keyword: str) -> str:
    """As the header has it, or where to look if the fonts, or nobody, can read it."""
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    if stored(subject, tag) is None:
        return ""
    try:
        text = str(read_element(subject, tag, character_set_of(subject)).value or "")
    except UNREADABLE:  # Undecodable among them
        return _ELSEWHERE
    first = text.split("=")[0] if keyword == "PatientName" else text
    line = " ".join(first.split())
    if not line and text.strip("=^ "):
        return _ELSEWHERE
    return line if all(map(_has, line)) else _ELSEWHERE


def _date(text: str) -> str:
    """DA as people read it; anything else as it is."""
    if len(text) == 8 and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return text
