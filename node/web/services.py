"""What requests are answered from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from node.config import NodeConfig
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.persistence.rows import Outbox
from node.persistence.spool import Spool
from node.persistence.store import Store
from node.watch.look import Lookout


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The node's parts, as far as routes are made from them; any number of threads share them.

    senders : of the requests that store
    clock   : the time now, in UTC
    lookout : says what is wrong
    analysis_id : of the present model and settings (`node.app.analysis_id_of`)
    outbox   : the configured destinations
    echo     : asks the destination of that name whether it answers; raises DestinationError
    stopping : set when the node is to end; answers that go on for long end then
    """

    config: NodeConfig
    store: Store
    spool: Spool
    intake: Intake
    senders: Senders
    clock: Callable[[], datetime]
    lookout: Lookout
    analysis_id: Callable[[], str]
    outbox: Outbox
    echo: Callable[[str], None]
    stopping: Event
