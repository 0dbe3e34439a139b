"""Every file against its digest: what is damaged, missing, or known to no row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from node.keeping.manifest import digest_of
from node.persistence.kept_files import KeptFile
from node.persistence.spool import FOLDERS, Spool
from node.persistence.store import Store

_BEING_WRITTEN = timedelta(minutes=1)


class Wrong(StrEnum):
    """What is wrong with a file."""

    DAMAGED = "damaged"
    MISSING = "missing"
    EXTRA = "extra"
    """No row knows it; a running node removes it after a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amiss:
    """One file that is not as the database says.

    study_instance_uid : of which study it is; None if no row knows it
    """

    path: str
    wrong: Wrong
    study_instance_uid: str | None
    says: str


def verify(
    store: Store,
    spool: Spool,
    *,
    now: datetime,
    told: Callable[[int], None] = lambda _bytes: None,
) -> Iterator[Amiss]:
    """Everything that is amiss, as it is found; the node may run meanwhile.

    told : called with the bytes of each file that was read
    """
    for file in store.kept_files():
        if (found := _amiss(store, spool, file)) is not None:
            yield found
        told(file.size)
    for folder in FOLDERS:
        paths = spool.files_in(folder, older_than=now - _BEING_WRITTEN)
        for path in sorted(store.unknown(paths)):
            yield Amiss(
                path=path, wrong=Wrong.EXTRA, study_instance_uid=None, says="no row knows it"
            )


def _amiss(store: Store, spool: Spool, file: KeptFile) -> Amiss | None:
    try:
        found = digest_of(spool.locate(file.path))
        wrong, says = Wrong.DAMAGED, f"its digest is {found}"
    except FileNotFoundError:
        found, wrong, says = "", Wrong.MISSING, "there is no such file"
    except OSError as error:
        found, wrong, says = "", Wrong.DAMAGED, f"cannot be read: {error.strerror}"
    if found == file.sha256 or file.path in store.unknown([file.path]):
        return None  # whole, or freed since it was listed
    return Amiss(path=file.path, wrong=wrong, study_instance_uid=file.study_instance_uid, says=says)
