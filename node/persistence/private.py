"""What lies on our disk is for the node's own user: folders 0700, files 0600, whatever the umask.

What root makes in a folder of somebody else's belongs to that user: a command called with sudo
leaves nothing that the service cannot use.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

FOLDER = 0o700
FILE = 0o600
OTHERS = 0o077
"""Bits by which anybody but the owner gets at something."""


def make_folder(path: Path) -> None:
    """The folder is there; it, and those above it that were missing, are closed to others."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for folder in reversed(missing):
        owner = heir(folder.parent)
        folder.mkdir(mode=FOLDER, exist_ok=True)
        if owner is not None:
            os.chown(folder, *owner)


def make_file(path: Path) -> None:
    """The file is there, closed to others; one that is there already is left alone.

    It is not opened then: closing a file ends all locks that this process holds on it, SQLite's too
    (fcntl(2)).
    """
    if path.exists():
        return
    with suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE)
        try:
            if (owner := heir(path.parent)) is not None:
                os.fchown(handle, *owner)
        finally:
            os.close(handle)


def tighten(path: Path) -> None:
    """It is closed to others, if it is there and ours to close.

    A folder that many share by design, as /tmp is (sticky bit), is left as it is.
    """
    with suppress(FileNotFoundError, PermissionError):
        mode = path.stat().st_mode
        if mode & OTHERS and not mode & stat.S_ISVTX:
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)


def is_open_to_others(path: Path) -> bool:
    """Whether anybody but its owner gets at it; False if it is not there."""
    try:
        return bool(path.stat().st_mode & OTHERS)
    except FileNotFoundError:
        return False


def heir(folder: Path) -> tuple[int, int] | None:
    """User and group that what root makes in the folder is for; None if it is for its maker."""
    if os.geteuid() != 0:
        return None
    status = folder.stat()
    return None if status.st_uid == 0 else (status.st_uid, status.st_gid)
