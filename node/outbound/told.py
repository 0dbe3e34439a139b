"""A RIS that is told in words of its own what the stored report says; pictures stay in the PACS."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from node.core.errors import DestinationRefused
from node.core.results import ArtifactKind
from node.outbound.destination import OnBegun, OnStored, OutgoingObject, nobody_asks
from sr_templates.objects.told import NOT_TOLD, Told, told


class ToldDestination(ABC):
    """One that takes a message about the report, and of the objects nothing else."""

    def send(
        self,
        objects: Sequence[OutgoingObject],
        on_stored: OnStored,
        *,
        on_begun: OnBegun = nobody_asks,
    ) -> None:
        """The destination has confirmed what the report among the objects says.

        Nothing is sent if there is none: it is confirmed already.
        """
        report = next((each for each in objects if each.sent.kind is ArtifactKind.REPORT), None)
        if report is None:
            return
        said = _read_told(report)
        on_begun(report)
        self.tell(said, report)
        on_stored(report, 0x0000)

    @abstractmethod
    def tell(self, said: Told, report: OutgoingObject) -> None:
        """The destination has confirmed the message; raises like `Destination.send` if not."""


def _read_told(stored: OutgoingObject) -> Told:
    """What the stored report says.  Raises DestinationRefused if a version before wrote it so."""
    try:
        return told(stored.read())
    except NOT_TOLD as error:
        raise DestinationRefused(
            f"the stored report {stored.sop_instance_uid} cannot be told in words "
            f"({type(error).__name__}); requeue the job, which writes it anew",
            sop_instance_uid=stored.sop_instance_uid,
        ) from error
