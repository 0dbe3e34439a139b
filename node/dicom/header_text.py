"""Text and UIDs of a header, as they may be kept: decoded, one line, fit for any database."""

import re

import pydicom.config
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag

from m3net.attributes import PARSER_ERRORS
from sr_templates.character_sets import Undecodable, character_set_of, read_element, stored

# A value that breaks a rule of its VR is none of intake's business, and pydicom's warning would
# quote it, a patient's name among others, to standard error.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_UID = re.compile(r"[0-9.]{1,64}")


def is_uid(text: str) -> bool:
    """Whether the text can be an identifier: digits and dots, 64 at most (PS3.5 9.1)."""
    return _UID.fullmatch(text) is not None


def text_of(dataset: Dataset, keyword: str) -> str:
    """Decoded, one line, fit for any database (no NUL, no lone surrogate); empty if unreadable."""
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    raw = stored(dataset, tag)
    if raw is None:
        return ""
    try:
        value = str(read_element(dataset, tag, character_set_of(dataset)).value or "")
    except Undecodable:
        value = (raw.value or b"").decode("ascii", "replace")
    except PARSER_ERRORS:
        return ""
    text = " ".join(value.replace("\0", "").split())
    return text.encode("utf-8", "replace").decode("utf-8")
