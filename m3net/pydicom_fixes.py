"""What reading strangers' objects needs of pydicom beyond its settings.

pydicom decodes Specific Character Set while it takes an object apart, by the VR that stands there
and with whatever codec Python knows by that name.  A sender that wrote US, OB or a sequence for CS,
or a NUL within the value, would have the whole object unreadable, wherever in it the element
stands.  An object whose character set makes no sense is one that declares none.
"""

from collections.abc import MutableSequence
from typing import Any

from pydicom import DataElement, charset, dataset, filereader
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.hooks import hooks, raw_element_vr
from pydicom.tag import BaseTag

_SPECIFIC_CHARACTER_SET = BaseTag(0x00080005)
_CODECS = frozenset(charset.python_encoding.values())
_ENCODINGS_OF = charset.convert_encodings


def prepare() -> None:
    """From now on every object in this process is read so."""
    hooks.register_callback("raw_element_vr", _vr)
    for module in (filereader, dataset):
        module.convert_encodings = _encodings  # type: ignore[attr-defined]
    filereader.convert_raw_data_element = _element  # type: ignore[attr-defined]


def _vr(raw: RawDataElement, data: dict[str, Any], **more: Any) -> None:
    if raw.tag == _SPECIFIC_CHARACTER_SET:
        data["VR"] = "CS"
    else:
        raw_element_vr(raw, data, **more)


def _encodings(declared: str | MutableSequence[str] | None) -> list[str]:
    """Codecs of DICOM's character sets alone: Python has others, some of them quadratic."""
    try:
        found = _ENCODINGS_OF(declared)
    except (AttributeError, LookupError, TypeError, ValueError):
        return [charset.default_encoding]
    return [codec if codec in _CODECS else charset.default_encoding for codec in found]


def _element(raw: RawDataElement | DataElement, *args: Any, **more: Any) -> DataElement:
    """A sequence of undefined length has been read already, which pydicom does not expect here."""
    if isinstance(raw, DataElement):
        return DataElement(raw.tag, "CS", "")
    return convert_raw_data_element(raw, *args, **more)
