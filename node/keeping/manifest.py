"""The list of a backup's files with their digests, as `sha256sum -c` reads it."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from node.core.errors import ConfigError
from node.persistence.private import FILE
from node.persistence.spool import fsync_directory

NAME = "SHA256SUMS"


def digest_of(path: Path) -> str:
    """Hex sha256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(directory: Path, digests: Mapping[str, str]) -> None:
    """The list is durable; it is written last, so a backup that has one is whole."""
    part = directory / f"{NAME}.part"
    handle = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, FILE)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        for path, digest in digests.items():
            file.write(f"{digest}  {path}\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(directory / NAME)
    fsync_directory(directory)


def read(directory: Path) -> dict[str, str]:
    """Digest by path.  Raises ConfigError if the directory holds no whole backup."""
    try:
        return dict(_lines(directory / NAME))
    except FileNotFoundError:
        raise ConfigError(
            f"{directory} holds no whole backup: it has no {NAME}; an interrupted one is made anew"
        ) from None


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(file.read_text(encoding="ascii").splitlines(), 1):
        digest, _, path = line.partition("  ")
        if len(digest) != 64 or not path or Path(path).is_absolute() or ".." in Path(path).parts:
            raise ConfigError(f"{file}, line {number}: expected a digest and a path within it")
        yield path, digest
