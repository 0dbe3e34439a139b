"""Which images are an ordinary CT, by what they say of themselves.

A scout and a maximum intensity projection show no slice: how deep a mark on one lies is not known.
Maps of perfusion and of materials, projections and renderings are of the same class (PS3.3
C.8.15.3.1, C.8.16.2); their numbers are no densities of the lung.
"""

import re

from pydicom import Dataset
from pydicom.datadict import dictionary_description

from m3net import attributes

_TERM = re.compile(r"[A-Z_]{1,16}")
"""What may be repeated in a sentence: a defined term, and nothing that somebody typed."""

_NO_FLAVOUR_OF_A_CT = frozenset({"PERFUSION", "ATTENUATION", "LOCALIZER"})
_CONTRASTS_IN_HU = frozenset({"", "NONE", "RESAMPLED", "ENERGY_PROP_WT"})
_OTHER_CONTRASTS = re.compile(
    "ADDITION|DIVISION|MASKED|MAXIMUM|MEAN|MINIMUM|MULTIPLICATION|STD_DEVIATION|SUBTRACTION"
    "|QUANTITY|MTT|RCBF|RCBV|RCMTT|TTP|TMAX|MAT_.*|EFF_ATOMIC_NUM|ELECTRON_DENSITY|VMI"
)
"""A converter keeps what a scanner wrote as fourth value, such as CT_SOM5 SPI: of a converted
object only what is known to be no density is none."""
_LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.2.2"
_TECHNIQUES_IN_HU = frozenset({"", "NONE", "MPR"})
_PROJECTION = re.compile(
    r"\b(MIPS?|MAX ?IP|MIN ?IP|RAY ?SUM|PROJECTION|VRT?|VOLUME REND\w*|SSD|SURFACE REND\w*"
    r"|CURVED)\b"
)
_DERIVED_AS_PROJECTION = frozenset({"113073", "113074", "113075", "113078", "113079"})
"""Of PS3.16 CID 7203: curved reformats, volume and surface rendering, maximum and minimum IP."""


def shows_no_slice(dataset: Dataset) -> bool:
    """Whether the image is a scout or a projection.

    By Image Type (PS3.3 C.8.2.1.1.1; a vendor's own words stand from its third value on), by
    Derivation Code Sequence, or, of a derived image, by the series' name.
    """
    first, *_ = *(values := [v.upper() for v in attributes.texts(dataset, "ImageType")]), ""
    if "LOCALIZER" in values:
        return True
    for item in attributes.items(dataset, "DerivationCodeSequence"):
        code = attributes.text(item, "CodeValue"), attributes.text(item, "CodingSchemeDesignator")
        if code[0] in _DERIVED_AS_PROJECTION and code[1] == "DCM":
            return True
    named = values[2:]
    if first == "DERIVED":
        named.append(attributes.text(dataset, "SeriesDescription").upper())
    return any(_PROJECTION.search(each.replace("_", " ")) for each in named)


def why_no_density(dataset: Dataset) -> str | None:
    """None if the numbers of a single-frame CT are densities, else why they are none."""
    values = [value.upper() for value in attributes.texts(dataset, "ImageType")]
    if any(v in _NO_FLAVOUR_OF_A_CT or _OTHER_CONTRASTS.fullmatch(v) for v in values[2:]):
        return "its images are of type " + "\\".join(v for v in values[:4] if _TERM.fullmatch(v))
    return None


def why_no_ct(group: Dataset, dataset: Dataset) -> str | None:
    """None if a frame is an ordinary CT, else the reason, by its type, else by the object's.

    group : its CT Image Frame Type
    """
    kind = attributes.texts(group, "FrameType") or attributes.texts(dataset, "ImageType")
    values = [value.upper() for value in kind]
    _, _, flavour, contrast, *_ = (*values, "", "", "", "")
    if attributes.uid(dataset, "SOPClassUID") == _LEGACY_CONVERTED:
        is_density = not _OTHER_CONTRASTS.fullmatch(contrast)
    else:
        is_density = contrast in _CONTRASTS_IN_HU
    if flavour in _NO_FLAVOUR_OF_A_CT or not is_density:
        terms = [value for value in values[:4] if _TERM.fullmatch(value)]
        return "its frames are of type " + ("\\".join(terms) or "unknown")
    for keyword, allowed in (
        ("PixelPresentation", {"", "MONOCHROME"}),
        ("VolumetricProperties", {"", "VOLUME", "SAMPLED"}),
        ("VolumeBasedCalculationTechnique", _TECHNIQUES_IN_HU),
    ):
        said = attributes.text(group, keyword).upper()
        if said not in allowed:
            what = said if _TERM.fullmatch(said) else "of an unknown kind"
            return f"its frames have {dictionary_description(keyword)} {what}"
    return None
