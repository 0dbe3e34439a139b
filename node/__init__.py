"""The DICOM node: bytes in, facts on disk, a pure function, facts on disk, bytes out."""

__version__ = "0.1.0"
