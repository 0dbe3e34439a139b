"""A small CT with one box-shaped nodule, and what the annotations of it come to."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from m3net.annotations.nodules import Found, find_nodules
from m3net.annotations.readers import reader_for
from m3net.annotations.types import Planes
from m3net.ct.series import read_series, slice_headers, slice_plane
from m3net.uids import SOPClassUID
from tests import synthetic

BOX_CENTRE_MM = (-5.2, -16.5, -92.5)
"""Of `box()` in `synthetic.ct_series()`: slice 3, row 5, column 6 of origin (-10, -20, -100)."""

OUTLINE = [[4, 3], [9, 3], [9, 8], [4, 8], [4, 3]]
"""The box's outer edge as (column, row) on each of its slices."""


def box() -> NDArray[np.bool_]:
    """Slices 2..4, rows 3..7, columns 4..8 of (8, 16, 20)."""
    mask = np.zeros((8, 16, 20), dtype=np.bool_)
    mask[2:5, 3:8, 4:9] = True
    return mask


def as_received(ds: Dataset) -> Dataset:
    """Written and read back: plain pydicom, as it comes from the network."""
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    file.seek(0)
    return dcmread(file)


def planes_of(ct: Sequence[Dataset]) -> Planes:
    return Planes(
        {key: slice_plane(header) for ds in ct for key, header in slice_headers(ds).items()}
    )


def found(ct: Sequence[Dataset], *objects: Dataset) -> Found:
    """What the objects mark in the CT."""
    annotations = []
    for ds in objects:
        reader = reader_for(SOPClassUID(str(ds.SOPClassUID)))
        assert reader is not None
        annotations.append(reader.read(ds, planes_of(ct)))
    return find_nodules(annotations, read_series(ct))


def outlined(ct: Sequence[Dataset], *, tracking_uid: str, name: str = "sr") -> Dataset:
    """A report that outlines the box on its three slices."""
    regions = [synthetic.scoord(ct[z], "POLYLINE", OUTLINE) for z in (2, 3, 4)]
    group = synthetic.measurement_group(regions, tracking_id="Nodule A", tracking_uid=tracking_uid)
    return synthetic.measurement_report(ct, [group], name=name)
