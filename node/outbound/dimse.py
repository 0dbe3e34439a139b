"""A destination that takes results over C-STORE."""

from collections.abc import Sequence

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association

from node.calling.association import Call, associated, echo
from node.config import DimseDestination
from node.core.errors import (
    DestinationNotReady,
    DestinationRefused,
    VariantRejected,
)
from node.dicom.compression import PLAIN, plain
from node.outbound.comment import in_known_words
from node.outbound.destination import (
    OnBegun,
    OnStored,
    OutgoingObject,
    nobody_asks,
    require_stored,
)
from sr_templates.character_sets import write_raw_as_it_is


class StorageProvider:
    """One Storage SCP; every `send` is one association of its own."""

    def __init__(self, config: DimseDestination) -> None:
        self._config = config

    def send(
        self,
        objects: Sequence[OutgoingObject],
        on_stored: OnStored,
        *,
        on_begun: OnBegun = nobody_asks,
    ) -> None:
        """Store all objects over one association, each as it is stored, else uncompressed.

        All contexts are looked at before the first object goes out, so a destination that takes
        only some of the classes never holds half a set.
        """
        if not objects:
            return
        contexts = [(each.sop_class_uid, one) for each in objects for one in self._proposed(each)]
        with associated(self._config, list(dict.fromkeys(contexts))) as call:
            for each in objects:
                on_begun(each)
                on_stored(each, self._store(call, each))

    def verify(self) -> None:
        """C-ECHO."""
        echo(self._config)

    def _proposed(self, each: OutgoingObject) -> list[tuple[UID, ...]]:
        """The transfer syntaxes for the object: those of a context each.

        The compressed one has a context of its own, since of several a destination chooses one by
        rules of its own; so it may accept both, and ours is the choice.
        """
        as_stored = each.transfer_syntax_uid
        if as_stored.is_encapsulated and self._config.compressed:
            return [(as_stored,), PLAIN]
        return [PLAIN]

    def _store(self, call: Call, each: OutgoingObject) -> int:
        """In the best transfer syntax agreed upon; what is refused compressed is sent once more."""
        best, *others = self._agreed(call.association, each)
        try:
            return self._store_in(best, call, each)
        except VariantRejected:
            raise
        except (DestinationRefused, DestinationNotReady):
            if not others:
                raise
            return self._store_in(others[0], call, each)

    def _store_in(self, syntax: UID, call: Call, each: OutgoingObject) -> int:
        dataset = each.read()
        if not syntax.is_encapsulated:
            dataset = plain(dataset)
        write_raw_as_it_is(dataset, implicit_vr=syntax.is_implicit_VR)
        with call.bounded(_size(dataset)):
            answer = call.association.send_c_store(dataset)
        if "Status" not in answer:
            raise call.unanswered(f"a C-STORE of {each.sop_instance_uid}")
        status = int(answer.Status)
        require_stored(status, each, said=_said(answer))
        return status

    def _agreed(self, association: Association, each: OutgoingObject) -> list[UID]:
        """The transfer syntaxes in which the object may go out: as it is stored, uncompressed."""
        accepted = [
            UID(context.transfer_syntax[0])
            for context in association.accepted_contexts
            if context.abstract_syntax == each.sop_class_uid
        ]
        agreed = [
            syntax
            for syntax in dict.fromkeys((each.transfer_syntax_uid, *PLAIN))
            if syntax in accepted
        ]
        if agreed:
            return agreed
        raise VariantRejected(
            f"takes SOP class {each.sop_class_uid} in no uncompressed transfer syntax",
            sop_class_uid=each.sop_class_uid,
        )


def _size(dataset: Dataset) -> int:
    """Bytes of the object, about: those of its pixels, which alone make one large."""
    return len(dataset.get("PixelData", b"") or b"")


def _said(answer: Dataset) -> str:
    return in_known_words(str(answer.get("ErrorComment", "")))
