"""What the statuses of a C-STORE response mean to this node as a sender (PS3.4 table B.2-1)."""

STORED = frozenset({0x0000, 0xB000, 0xB006, 0xB007, 0x0111})
"""Success, the three warnings, and "duplicate SOP instance" (PS3.7 annex C): our UIDs are derived
from the content, so what is there already is what was to be sent."""
SOP_CLASS_NOT_SUPPORTED = 0x0122
"""Refused, SOP class not supported (PS3.7 annex C)."""
