"""What is kept on the disk and for how long; the words that database and page share."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from m3net.uids import StudyInstanceUID


class Files(StrEnum):
    """Which files of a study."""

    RECEIVED = "received"
    """Of what came."""
    RESULTS = "results"
    """Of what this node made."""

    @property
    def words(self) -> str:
        """In a sentence."""
        return "what was received" if self is Files.RECEIVED else "the results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeable:
    """Files of one study that may be freed, all of one kind.

    last_arrival_at : studies go in the order of it
    since           : of what was received, the same; of results, when the last was sent
    files, size     : those that no other study needs; size in bytes
    """

    study_instance_uid: StudyInstanceUID
    what: Files
    last_arrival_at: datetime
    since: datetime
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure takes, or has taken.

    objects    : received of the study
    results    : made of it
    files, size : that no other study needs; size in bytes
    undelivered : why it would be refused if it were not forced; empty if nothing is lost
    """

    study_instance_uid: StudyInstanceUID
    objects: int
    results: int
    files: int
    size: int
    undelivered: tuple[str, ...]
