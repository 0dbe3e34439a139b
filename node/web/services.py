"""What requests are answered from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from node.config import NodeConfig
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.persistence.spool import Spool
from node.persistence.store import Store
from node.watch.look import Lookout


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The node's parts, as far as routes are made from them; any number of threads share them.

    senders : of the requests that store
    clock   : the time now, in UTC
    lookout : says what is wrong
    """

    config: NodeConfig
    store: Store
    spool: Spool
    intake: Intake
    senders: Senders
    clock: Callable[[], datetime]
    lookout: Lookout
