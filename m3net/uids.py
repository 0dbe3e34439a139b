"""DICOM unique identifiers as distinct types: a series UID is never passed as a study UID."""

from typing import NewType

StudyInstanceUID = NewType("StudyInstanceUID", str)
SeriesInstanceUID = NewType("SeriesInstanceUID", str)
SOPInstanceUID = NewType("SOPInstanceUID", str)
SOPClassUID = NewType("SOPClassUID", str)
FrameOfReferenceUID = NewType("FrameOfReferenceUID", str)
