"""The way of an object from a sender's bytes to the disk; everything that comes in comes this way.

The order is the promise: the file is durable, then its row is committed, and only then does
`accept` return and the sender read 0x0000.  A power cut before that leaves at most a file that no
row knows; the sender saw no success and sends again.

Nothing is decoded but the header (`node.inbound.received`).
"""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from node.config import ReceiverConfig
from node.core.errors import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SOP_CLASS_MISMATCH, Refused
from node.core.inputs import InstanceFacts, StudyIdentity
from node.inbound.encoded import take_apart
from node.inbound.facts import is_uid
from node.inbound.received import Received, received, received_file
from node.logs import event
from node.persistence.rows import Arrival
from node.persistence.spool import Spool, StoredFile

_DEFAULT = ReceiverConfig()


class KeepsInstances(Protocol):
    """What intake asks of the store."""

    def record_instance(
        self,
        *,
        facts: InstanceFacts,
        file: StoredFile,
        identity: StudyIdentity,
        sender_id: int | None,
        now: datetime,
    ) -> Arrival:
        """The row of the instance is committed."""
        ...


class Intake:
    """The seam between a sender and the disk; any number of threads may share one."""

    def __init__(
        self,
        *,
        spool: Spool,
        store: KeepsInstances,
        min_free_bytes: int,
        clock: Callable[[], datetime],
        config: ReceiverConfig = _DEFAULT,
    ) -> None:
        self._spool = spool
        self._store = store
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._config = config

    def accept(
        self,
        encoded: bytes | memoryview,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        sender_id: int | None,
    ) -> Arrival:
        """The object is here for good: file and row survive a power cut.

        encoded : the Data Set in its transfer syntax, with or without preamble and File Meta

        Elements of group 0002 at its head are no part of a Data Set and are left out.

        Raises Refused: 0xA700 too little space, 0xA900 another object than the command says,
        0xC000 cannot be indexed.  Then nothing of it stays.
        """
        if not (is_uid(sop_class_uid) and is_uid(sop_instance_uid)):
            raise Refused(CANNOT_UNDERSTAND, "the command's SOP Class or Instance UID is no UID")
        self._require_space()
        parts = take_apart(encoded)
        came = received(
            parts.data,
            syntax=transfer_syntax_uid,
            announced_class=sop_class_uid,
            config=self._config,
        )
        facts = came.facts
        if facts.sop_instance_uid != sop_instance_uid or facts.sop_class_uid != sop_class_uid:
            raise Refused(
                SOP_CLASS_MISMATCH, "data set and command differ in SOP Class or Instance"
            )
        if parts.meta and not parts.is_file:
            event(
                "store.file_meta_left_out",
                level=logging.WARNING,
                sop_instance_uid=facts.sop_instance_uid,
                elements=len(parts.meta),
            )
        return self._keep(came, sender_id)

    def accept_file(
        self,
        path: Path,
        *,
        sender_id: int | None,
        remark: Callable[[str], None] | None = None,
    ) -> Arrival:
        """As if the file had been received; what its header lacks is taken from the Data Set.

        remark : told of what was amiss with the header

        Raises Refused as `accept` does.
        """
        self._require_space()
        came = received_file(path.read_bytes(), config=self._config)
        for words in came.amiss:
            event("store.header_amiss", says=words, sop_instance_uid=came.facts.sop_instance_uid)
            if remark is not None:
                remark(words)
        return self._keep(came, sender_id)

    def _keep(self, came: Received, sender_id: int | None) -> Arrival:
        file = self._spool.write((came.head(), came.data))
        return self._store.record_instance(
            facts=came.facts,
            file=file,
            identity=came.identity,
            sender_id=sender_id,
            now=self._clock(),
        )

    def _require_space(self) -> None:
        if self._spool.free_bytes() < self._min_free_bytes:
            raise Refused(OUT_OF_RESOURCES, "less than min_free_gb is left on the disk")
