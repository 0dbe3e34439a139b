"""What lies below the paths that a person names: DICOM objects under any name, LIDC-IDRI's XML."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from node.inbound.encoded import looks_like_dicom, take_apart

_DICOMDIR = "1.2.840.10008.1.3.10"
_START = 4096
"""Bytes of a file in which its header stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesBelow:
    """What was found.

    files  : each once, sorted
    unread : folders that could not be looked into
    """

    files: tuple[Path, ...]
    unread: tuple[OSError, ...]


def files_below(paths: Iterable[Path]) -> FilesBelow:
    """The files that are named or lie below; links to folders are followed, each folder once."""
    unread: list[OSError] = []
    seen: set[tuple[int, int]] = set()
    found = {file for path in paths for file in _walk(path, seen, unread)}
    return FilesBelow(files=tuple(sorted(found)), unread=tuple(unread))


def _walk(path: Path, seen: set[tuple[int, int]], unread: list[OSError]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, below, names in os.walk(path, onerror=unread.append, followlinks=True):
        try:
            status = os.stat(folder)
        except OSError as error:  # it went away meanwhile
            unread.append(error)
            continue
        if (status.st_dev, status.st_ino) in seen:
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (Path(folder, name) for name in names)


def is_dicom_object(file: Path) -> bool:
    """Whether it looks like an object of its own; a DICOMDIR is none."""
    with file.open("rb") as stream:
        start = stream.read(_START)
    if not looks_like_dicom(start, file.stat().st_size):
        return False
    return take_apart(start).sop_class_uid != _DICOMDIR
