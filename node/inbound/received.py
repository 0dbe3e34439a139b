"""One encoded object and what the node knows of it, whether a sender sent it or a file holds it."""

from dataclasses import dataclass, field, replace

from pydicom import Dataset

from m3net.attributes import PARSER_ERRORS
from node.config import ReceiverConfig
from node.core.errors import CANNOT_UNDERSTAND, Refused
from node.core.inputs import InstanceFacts, StudyIdentity
from node.dicom.header_text import text_of
from node.inbound.encoded import (
    Readable,
    file_head,
    looks_like_dicom,
    parsed,
    readable,
    take_apart,
)
from node.inbound.facts import needs_whole, read_facts
from node.inbound.identifiers import amiss
from sr_templates.character_sets import assume


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One object.

    data   : the Data Set, encoded as it came
    header : as far as it was parsed
    amiss  : of a file: one sentence for each thing that is wrong with its header
    """

    data: memoryview
    facts: InstanceFacts
    identity: StudyIdentity
    header: Dataset = field(repr=False)
    amiss: tuple[str, ...] = ()

    def head(self) -> bytes:
        """Preamble and File Meta of the file that it is stored as."""
        facts = self.facts
        return file_head(facts.sop_class_uid, facts.sop_instance_uid, facts.transfer_syntax_uid)


def received(
    data: memoryview, *, syntax: str, announced_class: str, config: ReceiverConfig
) -> Received:
    """What the node knows of a Data Set.

    announced_class : the SOP Class that a command or a header names; empty if none

    Raises Refused(0xC000) if it cannot be indexed.
    """
    max_bytes = config.max_object_mb << 20
    head = readable(data, syntax=syntax, whole=needs_whole(announced_class), max_bytes=max_bytes)
    dataset = _parsed(head)
    if needs_whole(text_of(dataset, "SOPClassUID")) and not needs_whole(announced_class):
        # The header of a file named another class, or none.
        head = readable(data, syntax=syntax, whole=True, max_bytes=max_bytes)
        dataset = _parsed(head)
    assume(dataset, config.assumed_character_set)
    facts, identity = read_facts(
        dataset, data=data, transfer_syntax=syntax, extent=head.extent, is_cut=head.is_cut
    )
    return Received(data=data, facts=facts, identity=identity, header=dataset)


def received_file(encoded: bytes | memoryview, *, config: ReceiverConfig) -> Received:
    """The same of a whole file; what its header lacks is taken from the Data Set.

    Raises Refused(0xC000) if it is no DICOM, or cannot be indexed.
    """
    if not looks_like_dicom(encoded, len(encoded)):
        raise Refused(CANNOT_UNDERSTAND, "not a DICOM file")
    parts = take_apart(encoded)
    made = received(
        parts.data,
        syntax=parts.transfer_syntax_uid or parts.guessed_syntax(),
        announced_class=parts.sop_class_uid,
        config=config,
    )
    return replace(made, amiss=amiss(parts, made.facts))


def header_of_file(
    encoded: bytes | memoryview, *, assumed_character_set: str | None, max_bytes: int
) -> tuple[Dataset, str]:
    """The header of a stored file, and its transfer syntax.

    Raises Refused(0xC000) if it cannot be parsed.
    """
    parts = take_apart(encoded)
    syntax = parts.transfer_syntax_uid or parts.guessed_syntax()
    header = _parsed(readable(parts.data, syntax=syntax, whole=False, max_bytes=max_bytes))
    assume(header, assumed_character_set)
    return header, syntax


def _parsed(readable: Readable) -> Dataset:
    try:
        return parsed(readable.data, readable.syntax)
    except PARSER_ERRORS as error:
        raise Refused(
            CANNOT_UNDERSTAND, f"the data set cannot be read ({type(error).__name__})"
        ) from error
