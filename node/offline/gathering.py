"""From files and folders to studies: what the node would know if all of it had been sent to it."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from m3net.errors import AnnotationUnusable
from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.config import ReceiverConfig
from node.core.errors import Refused
from node.core.inputs import InstanceFacts
from node.inbound.files import files_below, is_dicom_object
from node.inbound.lidc_xml import is_lidc_xml, segmentations_of
from node.inbound.received import Received, received_file
from node.words import in_words_with_place


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """A file, or a folder, and what is to be said of it."""

    path: Path | None
    says: str


@dataclass(slots=True, kw_only=True)
class GatheredStudy:
    """The objects of one study, the last version of each.

    paths    : where each object can be read
    replaced : objects of which an earlier file holds another version
    remarks  : what was amiss with the files, each sentence once
    """

    uid: StudyInstanceUID
    facts: dict[SOPInstanceUID, InstanceFacts] = field(default_factory=dict)
    paths: dict[SOPInstanceUID, Path] = field(default_factory=dict)
    replaced: set[SOPInstanceUID] = field(default_factory=set)
    remarks: dict[str, None] = field(default_factory=dict)

    def instances(self) -> tuple[InstanceFacts, ...]:
        """In the order in which the files were read."""
        return tuple(self.facts.values())

    def notes(self) -> tuple[str, ...]:
        """What the study's lines say of its files; no name of a file is in it."""
        versions = (
            f"{len(self.replaced)} objects lie there in several versions that differ; the one "
            "whose file comes last by name was read",
        )
        return (*self.remarks, *(versions if self.replaced else ()))

    def take(self, facts: InstanceFacts, path: Path) -> None:
        """As the node's store does: the same again changes nothing, another version replaces."""
        uid = facts.sop_instance_uid
        known = self.facts.get(uid)
        if known is not None and known.content_digest == facts.content_digest:
            return
        if known is not None:
            self.replaced.add(uid)
            del self.facts[uid]
        self.facts[uid], self.paths[uid] = facts, path


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What lay below the paths.

    skipped : files that are no DICOM object
    unread  : files and folders that could not be read, so that studies may lack something
    remarks : what was amiss with files that were read
    """

    studies: tuple[GatheredStudy, ...]
    skipped: tuple[Path, ...]
    unread: tuple[Odd, ...]
    remarks: tuple[Odd, ...]


def gather(
    paths: Iterable[Path],
    *,
    config: ReceiverConfig,
    work: Path,
    leave_out: Path,
    progress: Callable[[int, int], None] | None,
) -> Gathered:
    """The studies below the paths, by UID.

    work      : folder for what is to be read in a form of our own
    leave_out : folder whose files are none of the input's
    progress  : called with the number of files done, and of all
    """
    below = files_below(paths)
    own = os.path.realpath(leave_out)
    # realpath, which unlike Path.resolve takes a link that leads to itself for what it is
    files = [f for f in below.files if not Path(os.path.realpath(f)).is_relative_to(own)]
    studies: dict[StudyInstanceUID, GatheredStudy] = {}
    skipped: list[Path] = []
    unread = [Odd(path=None, says=in_words_with_place(error)) for error in below.unread]
    remarks: list[Odd] = []
    for number, file in enumerate(files, start=1):
        try:
            content = _read(file, config, work) if file.is_file() else None
        except (Refused, AnnotationUnusable, OSError) as error:
            unread.append(Odd(path=file, says=in_words_with_place(error)))
        else:
            if content is None:
                skipped.append(file)
            else:
                remarks += [Odd(path=file, says=words) for words in content.remarks]
                _sort(content, studies)
        if progress is not None:
            progress(number, len(files))
    return Gathered(
        studies=tuple(studies[uid] for uid in sorted(studies)),
        skipped=tuple(skipped),
        unread=tuple(unread),
        remarks=tuple(remarks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What one file holds: objects, where each can be read, and what was amiss."""

    objects: tuple[tuple[InstanceFacts, Path], ...]
    remarks: tuple[str, ...]


def _sort(content: _Content, studies: dict[StudyInstanceUID, GatheredStudy]) -> None:
    for facts, path in content.objects:
        uid = facts.study_instance_uid
        study = studies.setdefault(uid, GatheredStudy(uid=uid))
        study.take(facts, path)
        study.remarks.update(dict.fromkeys(content.remarks))


def _read(file: Path, config: ReceiverConfig, work: Path) -> _Content | None:
    """None of a file that is no DICOM object."""
    if is_lidc_xml(file):
        made = segmentations_of(file)
        came = [received_file(each.encoded, config=config) for each in made.objects]
        return _Content(
            objects=tuple((each.facts, _written(each, work)) for each in came),
            remarks=(f"LIDC-IDRI's XML: {made.left_out_in_words()}",) if made.left_out else (),
        )
    if not is_dicom_object(file):
        return None
    only = received_file(file.read_bytes(), config=config)
    # The analysis opens files by their header, so a file without a sound one gets ours.
    path = _written(only, work) if only.amiss else file
    return _Content(objects=((only.facts, path),), remarks=only.amiss)


def _written(came: Received, work: Path) -> Path:
    """The object as the node's spool would hold it, under the name of its content."""
    path = work / f"{came.facts.content_digest}.dcm"
    path.write_bytes(came.head() + came.data)
    return path
