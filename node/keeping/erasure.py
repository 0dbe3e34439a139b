"""An erasure request: nothing of a study stays, but a line that something was erased."""

from datetime import datetime

from m3net.uids import StudyInstanceUID
from node.core.keeping import Erased
from node.keeping.removal import remove_marked
from node.logs import event
from node.persistence.spool import Spool
from node.persistence.store import Store


def erase(
    store: Store,
    spool: Spool,
    study: StudyInstanceUID,
    *,
    by: str,
    forced: bool = False,
    now: datetime,
) -> Erased:
    """The study's rows and files are gone; a crash between is finished by the scheduler.

    by     : who asked for it; stays, with the time and the numbers
    forced : also if something of it is not delivered

    Copies elsewhere are not: at destinations, in backups, in logs (which name no patient).
    Raises UnknownEntry, and NotAllowed as `Store.erase_study` does.
    """
    taken = store.erase_study(study, by=by, forced=forced, now=now)
    remove_marked(store, spool)
    store.forget_deleted()
    event("study.erased", by=by, objects=taken.objects, results=taken.results, files=taken.files)
    return taken
