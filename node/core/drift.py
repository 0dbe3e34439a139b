"""The few classes in which inputs are counted, so that somebody sees when other ones begin to come.

What scanners write is free text: each is put into one of a fixed list of classes, and nothing of
the text goes further.
"""

import re

UNKNOWN = "unknown"
OTHER = "other"

KERNELS = ("smooth", "medium", "sharp", OTHER, UNKNOWN)
MANUFACTURERS = (
    "canon", "fujifilm", "ge", "hitachi", "neusoft", "philips", "siemens", "toshiba",
    "united imaging", OTHER, UNKNOWN,
)  # fmt: skip

_NUMBERED = re.compile(r"[A-Z][A-Z]?(\d{2})[A-Z]?(\\\d+)?")
"""Siemens: a letter or two, and a number that grows with sharpness (B30f, Br40, Bl57, I70f)."""
_CANON = re.compile(r"FC(\d{2})")
_NAMED = {
    "smooth": {"STANDARD", "SOFT", "STND", "A", "B", "SA", "SB", "IMR1", "SOFT TISSUE"},
    "medium": {"DETAIL", "CHEST", "C", "SC", "ULTRA"},
    "sharp": {"LUNG", "BONE", "BONEPLUS", "EDGE", "D", "E", "L", "YA", "YB", "YC", "YD", "Y-SHARP"},
}
_WORDS = {
    "canon": "canon",
    "fuji": "fujifilm",
    "ge medical": "ge",
    "ge health": "ge",
    "hitachi": "hitachi",
    "neusoft": "neusoft",
    "philips": "philips",
    "siemens": "siemens",
    "toshiba": "toshiba",
    "uih": "united imaging",
    "united imaging": "united imaging",
}


def kernel_class(convolution_kernel: str | None) -> str:
    """How sharp the reconstruction kernel is, as far as its name tells (0018,1210)."""
    name = (convolution_kernel or "").strip().upper()
    if not name:
        return UNKNOWN
    for sharpness, names in _NAMED.items():
        if name in names:
            return sharpness
    if found := _CANON.match(name):
        number = int(found[1])
        return "smooth" if number < 20 else "sharp" if 30 <= number < 60 or number >= 80 else OTHER
    if found := _NUMBERED.fullmatch(name):
        number = int(found[1])
        return "smooth" if number < 45 else "medium" if number <= 55 else "sharp"
    return OTHER


def manufacturer_class(manufacturer: str | None) -> str:
    """Whose scanner it is (0008,0070)."""
    text = (manufacturer or "").strip().lower()
    if not text:
        return UNKNOWN
    if text == "ge":
        return "ge"
    return next((known for word, known in _WORDS.items() if word in text), OTHER)
