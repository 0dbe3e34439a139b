"""Text and UIDs of a header, as they may be kept: decoded, one line, fit for any database."""

import re

import pydicom.config
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from m3net.attributes import PARSER_ERRORS
from sr_templates.character_sets import Undecodable, character_set_of, read_element, stored

# A value that breaks a rule of its VR is none of intake's business, and pydicom's warning would
# quote it, a patient's name among others, to standard error.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

LONGEST = 512
"""Characters; ten times what most texts may have (PS3.5 6.2)."""
_UID = re.compile(r"[0-9.]{1,64}")


def is_uid(text: str) -> bool:
    """Whether the text can be an identifier: digits and dots, 64 at most (PS3.5 9.1)."""
    return _UID.fullmatch(text) is not None


def text_of(dataset: Dataset, keyword: str) -> str:
    """Decoded, one line, fit for any database; empty if unreadable.

    No NUL, no lone surrogate, and no longer than an index takes.
    """
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    raw = stored(dataset, tag)
    if raw is None:
        return ""
    try:
        value = _as_written(read_element(dataset, tag, character_set_of(dataset)).value)
    except Undecodable:
        value = (raw.value or b"").decode("ascii", "replace")
    except PARSER_ERRORS:
        return ""
    text = " ".join(value.replace("\0", "").split())[:LONGEST]
    return text.encode("utf-8", "replace").decode("utf-8")


def _as_written(value: object) -> str:
    if isinstance(value, MultiValue):
        return "\\".join(map(str, value))
    return "" if value is None else str(value)
