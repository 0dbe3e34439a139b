"""Studies from folders to a folder of results: the whole way of `m3node analyse`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from m3net.uids import StudyInstanceUID
from node.app import analysis_id_of, now_utc, result_settings
from node.config import NodeConfig
from node.core.results import ArtifactKind
from node.offline.gathering import Gathered, GatheredStudy, Odd, gather
from node.offline.judging import Judge, Task, plan
from node.offline.out_folder import OutFolder, Record, open_out_folder
from node.offline.records import (
    NOTHING_FOR_THE_NODE,
    Line,
    failure_line,
    nodule_lines,
    nothing_line,
)
from node.offline.study_files import StudyFiles, study_files
from sr_templates.findings import Outcome

if TYPE_CHECKING:
    from m3net.predict import TorchClassifier

_DEFAULT = NodeConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedStudy:
    """What came of one study.

    outcome  : a value of `sr_templates.findings.Outcome`, or "nothing_for_the_node"
    folder   : where its report, captures and pictures lie
    lines    : its lines of the table, as plain JSON
    finished : True if an earlier run had analysed the same inputs in the same way
    """

    study_instance_uid: StudyInstanceUID
    outcome: str
    headline: str
    folder: Path
    lines: Sequence[Line]
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What came of everything that lay below the paths.

    results : the table, one JSON line a nodule
    skipped : files that are no DICOM object
    unread  : files and folders that could not be read, so that studies may lack something
    remarks : what was amiss with files that were read
    """

    results: Path
    studies: Sequence[AnalysedStudy]
    skipped: Sequence[Path]
    unread: Sequence[Odd]
    remarks: Sequence[Odd]

    def with_outcome(self, *outcomes: str) -> list[AnalysedStudy]:
        """Those that ended so."""
        return [study for study in self.studies if study.outcome in outcomes]

    @property
    def failed(self) -> bool:
        """Whether something could not be read, the machinery failed, or no study was found."""
        broken = self.with_outcome(Outcome.TECHNICAL_FAILURE)
        return bool(self.unread or broken or not self.studies)

    @property
    def complete(self) -> bool:
        """Whether every marked nodule of every study was judged."""
        return not self.failed and len(self.with_outcome(Outcome.ANALYSED)) == len(self.studies)


def analyse_paths(
    paths: Sequence[Path],
    *,
    out: Path,
    config: NodeConfig = _DEFAULT,
    device: str | None = None,
    companions: Collection[ArtifactKind] = (),
    clock: Callable[[], datetime] = now_utc,
    on_file: Callable[[int, int], None] | None = None,
    on_study: Callable[[AnalysedStudy, int, int], None] | None = None,
) -> Analysis:
    """The studies below the paths are judged as the node would; results and a table lie in `out`.

    Studies that `out` has already, from the same inputs, weights and settings, are not judged
    again.  Killed at any point, the same call goes on where it was.

    paths      : files and folders with chest CTs, annotations, LIDC-IDRI's XML, anything else
    config     : its [model], [annotations], [results] and [receiver] sections count
    device     : "auto", "cpu", "cuda:1"; None: as the configuration says
    companions : what is made beside report and captures, of `node.core.results.COMPANIONS`
    on_file    : called with the number of files read, and of all
    on_study   : called with each study, its number from 1, and the number of all

    Raises ConfigError if `out` is not to be written into, WeightsError and InferenceError if there
    is no network or no such device, and OSError if the disk is full.
    """
    with open_out_folder(out) as folder:
        found = gather(
            paths, config=config.receiver, work=folder.work, leave_out=out, progress=on_file
        )
        desk = _Desk(
            folder=folder,
            config=config,
            device=device,
            companions=frozenset(companions),
            clock=clock,
        )
        studies = []
        for number, study in enumerate(found.studies, start=1):
            studies.append(desk.settle(study))
            if on_study is not None:
                on_study(studies[-1], number, len(found.studies))
        return _analysis(folder, found, studies)


def _analysis(folder: OutFolder, found: Gathered, studies: Sequence[AnalysedStudy]) -> Analysis:
    return Analysis(
        results=folder.results,
        studies=tuple(studies),
        skipped=found.skipped,
        unread=found.unread,
        remarks=found.remarks,
    )


_NO_FILES = StudyFiles(contents={})


@dataclass(kw_only=True)
class _Desk:
    """Settles one study after the other; the network is loaded when the first one needs it."""

    folder: OutFolder
    config: NodeConfig
    device: str | None
    companions: frozenset[ArtifactKind]
    clock: Callable[[], datetime]
    analysis_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.analysis_id = analysis_id_of(self.config)

    def settle(self, study: GatheredStudy) -> AnalysedStudy:
        """The study's record, of an earlier run or of now."""
        now = self.clock()
        task = plan(study, now=now)
        record = self.folder.finished(
            study.uid,
            input_digest=task.digest,
            analysis_id=self.analysis_id,
            companions=self.companions,
        )
        finished = record is not None
        if record is None:
            revision = self.folder.revision(
                study.uid, input_digest=task.digest, analysis_id=self.analysis_id
            )
            record, files = self._settled(study, task, revision, now)
            self.folder.keep(study.uid, record, files.contents)
        return AnalysedStudy(
            study_instance_uid=study.uid,
            outcome=record.outcome,
            headline=record.headline,
            folder=self.folder.place(study.uid),
            lines=record.lines,
            finished=finished,
        )

    def _settled(
        self, study: GatheredStudy, task: Task, revision: int, now: datetime
    ) -> tuple[Record, StudyFiles]:
        notes = study.notes()
        if task.inputs is None:
            line = nothing_line(study.uid, why=task.reason, notes=notes)
            return self._record(task, revision, NOTHING_FOR_THE_NODE, [line]), _NO_FILES
        results = self._judge.judge(task.inputs, study, revision=revision, now=now)
        if isinstance(results, str):
            line = failure_line(task.inputs, why=results, notes=notes)
            return self._record(task, revision, Outcome.TECHNICAL_FAILURE, [line]), _NO_FILES
        files = study_files(results)
        lines = nodule_lines(
            results,
            inputs=task.inputs,
            card=self._classifier.card,
            fingerprint=self._classifier.fingerprint,
            analysis_id=self.analysis_id,
            input_digest=task.digest,
            band=self._judge.settings.band(self._classifier.card),
            notes=(*notes, *results.left_out),
            pictures=files.of_nodule,
        )
        return self._record(task, revision, results.outcome, lines, files), files

    def _record(
        self,
        task: Task,
        revision: int,
        outcome: str,
        lines: Sequence[Line],
        files: StudyFiles = _NO_FILES,
    ) -> Record:
        return Record(
            input_digest=task.digest,
            analysis_id=self.analysis_id,
            revision=revision,
            outcome=str(outcome),
            headline=str(lines[0]["headline"]),
            lines=lines,
            companions=sorted(self.companions),
            files=sorted(files.contents),
        )

    @cached_property
    def _classifier(self) -> "TorchClassifier":
        from m3net.weights import load_classifier

        model = self.config.model
        return load_classifier(
            model.weights, device=self.device or model.device, precision=model.precision
        )

    @cached_property
    def _judge(self) -> Judge:
        return Judge(
            classifier=self._classifier,
            settings=replace(result_settings(self.config), companions=self.companions),
            analysis_id=self.analysis_id,
        )
