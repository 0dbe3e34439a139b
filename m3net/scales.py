"""The three nested contexts of the paper (Li et al. 2026, eq. 1)."""

from enum import StrEnum


class Scale(StrEnum):
    """How much of the lung a patch shows around the nodule's centre."""

    MICRO = "micro"
    """X32: margin and internal structure."""
    MESO = "meso"
    """X64: vessels and pleura nearby."""
    MACRO = "macro"
    """X96: global context."""
