"""What the node raises on purpose.

::

    NodeError
    ├── Refused                  an instance is not taken; carries the DIMSE status of the answer
    │   ├── NotNow                   ... since database or disk fail just now
    │   └── TooLarge                 ... since it is larger than is taken
    ├── ConfigError              the configuration, or what it points at, cannot be used
    │   ├── DatabaseBehind           ... the database is not made yet, or an earlier version's
    │   └── DatabaseLost             ... the database is damaged, or not the file it was
    ├── DestinationError         what a destination makes of what is sent to it, or a source of what
    │   │                        it is asked: one of these
    │   ├── DestinationUnreachable   transient: nobody there, out of resources, try again soon
    │   ├── DestinationNotReady      often passing, but not soon: we are not registered there, a
    │   │                            token has run out, its answer says nothing; tried slowly
    │   └── DestinationRefused       permanent: this destination will never take these objects
    │       └── VariantRejected          ... in this form; a poorer variant may do
    ├── LeaseLost                somebody else holds the work now; drop it, nothing is lost
    ├── UnknownEntry             no study, job or delivery of that name or number
    ├── Ambiguous                more than one study goes by what was said
    ├── NotAllowed               the state machine has no such transition from here
    └── Unsuitable               a name or a password that nobody may have

What is wrong with a study's content is `m3net.errors.StudyError`: it ends in a report, not here.
No message holds a patient's name, ID or birth date.
"""

from collections.abc import Sequence
from datetime import datetime

OUT_OF_RESOURCES = 0xA700
"""PS3.4 table B.2-1: refused, out of resources."""
SOP_CLASS_MISMATCH = 0xA900
"""PS3.4 table B.2-1: error, data set does not match SOP class (or the command's UIDs)."""
CANNOT_UNDERSTAND = 0xC000
"""PS3.4 table B.2-1: error, cannot understand."""


class NodeError(Exception):
    """The root of everything that the node raises on purpose."""


class Refused(NodeError):
    """An instance is not taken.

    status  : DIMSE status of the C-STORE response, PS3.4 B.2.3
    comment : Error Comment (0000,0902), LO: at most 64 characters, ASCII
    """

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(f"0x{status:04X}: {comment}")
        self.status = status
        self.comment = comment.encode("ascii", "replace").decode("ascii")[:64]


class NotNow(Refused):
    """An instance cannot be kept just now; `failure` is what database or disk raised."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(
            OUT_OF_RESOURCES, f"cannot store now ({type(failure).__name__}); send again"
        )


class TooLarge(Refused):
    """An instance is larger than is taken."""

    def __init__(self, comment: str) -> None:
        super().__init__(CANNOT_UNDERSTAND, comment)


class ConfigError(NodeError):
    """The configuration, or what it points at, cannot be used."""


class DatabaseBehind(ConfigError):
    """The database is not made yet, or of an earlier version; `m3node serve` sees to it."""


class DatabaseLost(ConfigError):
    """The database is damaged, deleted or replaced while it is in use; nothing can be kept."""


class DestinationError(NodeError):
    """What a destination makes of what is sent to it, or a source of what it is asked.

    sop_instance_uid : the object that its answer is about; None if it is about whatever is sent
    retry_after_s    : how long it asks to be left alone; None if it does not say
    not_kept         : it has answered that it does not keep what was sent last; where it has not
                       answered, it may
    """

    def __init__(
        self,
        message: str,
        *,
        sop_instance_uid: str | None = None,
        retry_after_s: float | None = None,
        not_kept: bool = False,
    ) -> None:
        super().__init__(message)
        self.sop_instance_uid = sop_instance_uid
        self.retry_after_s = retry_after_s
        self.not_kept = not_kept


class DestinationUnreachable(DestinationError):
    """The destination cannot take anything just now; the same may succeed soon."""


class DestinationNotReady(DestinationError):
    """The destination does not take it as things stand; a person there or time may change that."""


class DestinationRefused(DestinationError):
    """The destination will not take these objects, however often they are sent."""


class VariantRejected(DestinationRefused):
    """The destination does not take this storage class; another variant may do.

    sop_class_uid : the storage class
    """

    def __init__(self, message: str, *, sop_class_uid: str) -> None:
        super().__init__(message, not_kept=True)
        self.sop_class_uid = sop_class_uid


class LeaseLost(NodeError):
    """The lease is no longer this process's own; whoever holds it now does the work."""


class UnknownEntry(NodeError):
    """There is no study, job or delivery of that name or number."""


class Ambiguous(NodeError):
    """More than one study goes by what was said.

    studies : Study Instance UID and last arrival of each
    """

    def __init__(self, studies: Sequence[tuple[str, datetime]]) -> None:
        each = "".join(
            f"\n  {uid}  (last arrival {arrived.astimezone():%Y-%m-%d %H:%M:%S})"
            for uid, arrived in studies
        )
        super().__init__(
            f"{len(studies)} studies go by that; say which by its Study Instance UID:{each}"
        )
        self.studies = tuple(studies)


class NotAllowed(NodeError):
    """The state machine has no such transition from the present state."""


class Unsuitable(NodeError):
    """A name or a password that nobody may have."""
