"""The store: every transaction of the node is a named function, and these are all of them.

Read `schema` for what is kept, `work` for how it is held and settled, and then, as needed:

- `arrivals`: associations and instances (receiver)
- `readings`: what stored instances say (scheduler)
- `describing`: the same of what versions before have stored, for searches (scheduler)
- `planning`: studies to judge, jobs to make (scheduler)
- `jobs`: claim, finish, retry, bury (worker)
- `job_requests`: requeue, cancel (operator)
- `deliveries`: the same for what is sent (deliverer, operator)
- `fetches`: questions to sources (planner, puller, operator)
- `held`: stored objects that are handed out (web)
- `search`: what is here is found (web)
- `requested_items`: analyses that clients ask for (web); `waiting_items`: what becomes of them
- `work_items`: jobs, and what clients asked for, as they watch it (web)
- `retention`: files that are freed while their rows stay (scheduler, operator)
- `erasure`: studies of which nothing stays (operator)
- `kept_files`, `copying`, `holding`: backup, restore, rebuild (operator)
- `storage`: which storage directory it is of (whoever opens both)
- `people`: who asks: users, tokens, sessions (web); `accounts`: who makes them (administrator)
- `set_back`: what a clock that was set back would delay (scheduler)
- `counting`: how much of everything there is (web)
- `watching`: pulses of processes, and what signs of trouble are read from (all)
- `standing`: what is wrong since when, and who has been told of it (watcher)
- `lists`: lists and the diary (operator)
"""

from node.persistence.accounts import Accounts
from node.persistence.arrivals import Arrivals
from node.persistence.copying import Copying
from node.persistence.counting import Counting
from node.persistence.database import open_engine
from node.persistence.deliveries import Deliveries
from node.persistence.describing import Describing
from node.persistence.erasure import Erasures
from node.persistence.fetches import Fetches
from node.persistence.held import HeldObjects
from node.persistence.holding import Holding
from node.persistence.job_requests import JobRequests
from node.persistence.jobs import Jobs
from node.persistence.kept_files import KeptFiles
from node.persistence.lists import Lists
from node.persistence.people import People
from node.persistence.planning import Planning
from node.persistence.readings import Readings
from node.persistence.requested_items import RequestedItems
from node.persistence.retention import Retention
from node.persistence.search import Searches
from node.persistence.set_back import SetBack
from node.persistence.standing import StandingSigns
from node.persistence.storage import StorageIdentity
from node.persistence.upgrading import Change
from node.persistence.watching import Watching
from node.persistence.work_items import WorkItems


class Store(
    Arrivals,
    Readings,
    Describing,
    Planning,
    Jobs,
    JobRequests,
    Deliveries,
    Fetches,
    HeldObjects,
    Searches,
    RequestedItems,
    WorkItems,
    Retention,
    Erasures,
    KeptFiles,
    Copying,
    Holding,
    StorageIdentity,
    People,
    Accounts,
    SetBack,
    Counting,
    Watching,
    StandingSigns,
    Lists,
):
    """Facts on disk.  Threads may share one; every process opens its own."""


def open_store(
    url: str, *, patience_s: float | None = None, change: Change = Change.UPGRADE
) -> Store:
    """The store at a database URL, on the newest schema.  Raises ConfigError.

    patience_s : how long a transaction waits for another process's to end
    change     : what may be done so that the schema is the newest
    """
    return Store(open_engine(url, patience_s=patience_s, change=change))
