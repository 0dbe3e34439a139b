"""Small files that are whole or not there."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """The file holds this text, whole; if that fails, what it held before."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="")
    os.replace(part, path)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """The file is a CSV of these rows, whole; the first names the columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_text(path, text.getvalue())
