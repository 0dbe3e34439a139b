"""Objects that others made, beside the checkout: TESTS_OTHERS, ../shared/data/others by default.

Where they are absent the test is skipped by name (or fails under TESTS_FORBID_SKIPS=1).
"""

import csv
import os
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from pydicom import Dataset, dcmread

from m3net.annotations.image_classes import SEGMENTATIONS
from tests.required import unavailable


def folder() -> Path:
    """Where they lie."""
    at = Path(os.environ.get("TESTS_OTHERS", "../shared/data/others"))
    if not (at / "manifest.tsv").is_file():
        unavailable(f"the objects of others are not at {at}; TESTS_OTHERS names their folder")
    return at


def names() -> list[str]:
    """The files that the manifest lists, images of a CT series left out."""
    with (folder() / "manifest.tsv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t"))
    return [row["file"] for row in rows if not row["file"].startswith("ct_")]


def read(name: str) -> Dataset:
    """One of them."""
    return dcmread(folder() / name, force=True)


def of_this_patient(ds: Dataset, ct: Sequence[Dataset]) -> Dataset:
    """A copy in the CT's study, of its patient, whose references to images name the CT's slices."""
    moved = deepcopy(ds)
    moved.remove_private_tags()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID"):
        setattr(moved, keyword, ct[0].get(keyword))
    if "FrameOfReferenceUID" in moved:
        moved.FrameOfReferenceUID = ct[0].FrameOfReferenceUID
    slices: dict[str, Dataset] = {}

    def repoint(within: Dataset, element: object) -> None:
        keyword = getattr(element, "keyword", "")
        if str(within.get("ReferencedSOPClassUID")) in SEGMENTATIONS:
            return
        if keyword == "ReferencedSOPInstanceUID":
            uid = str(element.value)
            slices.setdefault(uid, ct[len(slices) % len(ct)])
            element.value = slices[uid].SOPInstanceUID
        elif keyword == "ReferencedSOPClassUID":
            element.value = ct[0].SOPClassUID
        elif keyword == "StudyInstanceUID":
            element.value = ct[0].StudyInstanceUID
        elif keyword in ("ReferencedFrameOfReferenceUID", "FrameOfReferenceUID"):
            element.value = ct[0].FrameOfReferenceUID

    moved.walk(repoint)
    return moved
