"""A stored report, read back for a RIS that is told what it says."""

from node.core.errors import DestinationRefused
from node.outbound.destination import OutgoingObject
from sr_templates.objects.told import NOT_TOLD, Told, told


def read_told(stored: OutgoingObject) -> Told:
    """What the stored report says.  Raises DestinationRefused if a version before wrote it so."""
    try:
        return told(stored.read())
    except NOT_TOLD as error:
        raise DestinationRefused(
            f"the stored report {stored.sop_instance_uid} cannot be told in words "
            f"({type(error).__name__}); requeue the job, which writes it anew",
            sop_instance_uid=stored.sop_instance_uid,
        ) from error
