"""Where things are kept, as `m3node check` sees it: whose it is, and who else gets at it.

The storage directory, the database's file, and secrets in files.

Nothing is made and nothing is changed: what is missing is made by `serve`, as its user.
"""

import os
import pwd
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel

from node.config import NodeConfig, RetentionConfig, StorageConfig
from node.operator.findings import Finding, fail, ok, warn
from node.persistence.database import files_of_sqlite, sqlite_file
from node.persistence.private import is_open_to_others

_SECRETS = ("key_file", "headers_file", "password_file", "token_file", "secret_file")


def storage(config: StorageConfig) -> Iterator[Finding]:
    """The directory: whether it can be written, how much it holds, and whose it is."""
    directory = config.directory
    place = next(each for each in (directory, *directory.parents) if each.exists())
    if not place.is_dir():
        yield fail("storage", f"{place} is no folder; choose another storage.directory")
        return
    if not os.access(place, os.W_OK | os.X_OK):
        yield fail("storage", f"{place} is not writable for this user")
        return
    free_gb = shutil.disk_usage(place).free / 1e9
    made = "" if place == directory else " (not there yet: `m3node serve` makes it)"
    says = f"{directory}{made} has {free_gb:.1f} GB free"
    if free_gb < config.min_free_gb:
        yield fail(
            "storage",
            f"{says}, less than min_free_gb = {config.min_free_gb:g}: C-STORE "
            "is answered with A700",
        )
    elif free_gb < 2 * config.min_free_gb:
        yield warn("storage", f"{says}; below {config.min_free_gb:g} C-STORE is answered with A700")
    else:
        yield ok("storage", says)


def retention(storage: StorageConfig, config: RetentionConfig) -> Iterator[Finding]:
    """What may leave the disk by itself, and whether that is in time."""
    if config.keep == "forever" or config.watermark_gb is None:
        return
    place = next(each for each in (storage.directory, *storage.directory.parents) if each.exists())
    whole_gb = shutil.disk_usage(place).total / 1e9
    if config.watermark_gb + storage.min_free_gb > whole_gb:
        yield warn(
            "retention",
            f"watermark_gb = {config.watermark_gb:g} leaves less than min_free_gb = "
            f"{storage.min_free_gb:g} of the disk's {whole_gb:.1f} GB free: C-STORE is answered "
            "with A700 before anything is freed; choose a lower one",
        )
    else:
        yield ok("retention", f"above {config.watermark_gb:g} GB the oldest delivered are freed")


def owners(config: NodeConfig) -> Iterator[Finding]:
    """Folder, spool and database are of one user, who is not root by accident."""
    found = {path: path.stat().st_uid for path in _ours(config) if path.exists()}
    if len(set(found.values())) > 1:
        whose = ", ".join(f"{path} of {_name(uid)}" for path, uid in found.items())
        yield fail("storage", f"files of several users: {whose}; give all to the node's user")
    elif found and os.geteuid() == 0 and 0 not in found.values():
        uid = next(iter(found.values()))
        yield ok("storage", f"all is of {_name(uid)}; looked at as root, who may write anywhere")
    for path in found:
        if is_open_to_others(path):
            yield warn(
                "storage",
                f"{path} is open to other users of this machine; `m3node serve` closes it, if it "
                "is its user's own: 0700 for a folder, 0600 for a file",
            )


def secrets(config: NodeConfig) -> Iterator[Finding]:
    """Files that only the node's user may read."""
    for key, path in secret_files(config):
        if is_open_to_others(path):
            yield warn(key, f"{path} can be read by other users of this machine: chmod 600 {path}")


def secret_files(section: BaseModel, name: str = "") -> Iterator[tuple[str, Path]]:
    """Every key of the configuration that names a file with a secret in it, and the file.

    A certificate's file is one where the key is in it, having no file of its own.
    """
    values = dict(section)
    for key, value in values.items():
        said = f"{name}.{key}" if name else key
        if isinstance(value, BaseModel):
            yield from secret_files(value, said)
        elif isinstance(value, tuple):
            for each in value:
                if isinstance(each, BaseModel):
                    called = dict(each).get("name", "")
                    yield from secret_files(each, f"{said} {called}".strip())
        elif isinstance(value, Path) and (
            key.endswith(_SECRETS) or (key == "certificate_file" and values.get("key_file") is None)
        ):
            yield said, value


def _ours(config: NodeConfig) -> Iterable[Path]:
    directory = config.storage.directory
    yield directory
    yield directory / "spool"
    if (file := sqlite_file(config.database.url)) is not None:
        yield from files_of_sqlite(file)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
