"""Which of a job's objects go to one destination, and in which form: the richest that it takes.

A job leaves one set, in the richest form; poorer forms are derived from it.  Jobs of versions
before this one left every form that a destination might need, and those are sent as they are.
Where a destination rejects a storage class, the next poorer form of that kind is tried.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

from node.core.errors import DestinationRefused
from node.core.results import COMPANIONS, ArtifactKind, CaptureVariant, ReportVariant


class HasVariant(Protocol):
    """What is looked at of an artifact."""

    @property
    def kind(self) -> ArtifactKind:
        """Report, capture, ..."""
        ...

    @property
    def report_variant(self) -> ReportVariant | None:
        """Of a report alone."""
        ...

    @property
    def capture_variant(self) -> CaptureVariant | None:
        """Of a report: of the captures that it refers to; None for companions."""
        ...


AnyArtifact = TypeVar("AnyArtifact", bound=HasVariant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One storage class for reports and one for captures."""

    report: ReportVariant
    captures: CaptureVariant


RICHEST = Form(report=ReportVariant.COMPREHENSIVE_3D, captures=CaptureVariant.MULTI_FRAME)
"""In which a job writes its results."""
POOREST = Form(report=ReportVariant.COMPREHENSIVE, captures=CaptureVariant.SINGLE_FRAME)
"""Which every destination is expected to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the configuration says of one destination; "auto" is richest first."""

    report: Literal["auto"] | ReportVariant
    captures: Literal["auto"] | CaptureVariant
    companions: frozenset[ArtifactKind] = frozenset()

    def first(self, report: ReportVariant | None, captures: CaptureVariant | None) -> Form:
        """The form to begin with; the arguments are what an earlier try has found out.

        A setting goes before what was found out, since a person may have changed it meanwhile.
        """
        return Form(
            report=(report or RICHEST.report) if self.report == "auto" else self.report,
            captures=(captures or RICHEST.captures) if self.captures == "auto" else self.captures,
        )

    def poorer(self, form: Form, rejected: ArtifactKind) -> Form | None:
        """The form to try after a storage class of that kind was rejected; None: there is none."""
        if rejected is ArtifactKind.REPORT:
            poorest = self.report != "auto" or form.report is POOREST.report
            return None if poorest else replace(form, report=POOREST.report)
        if rejected is ArtifactKind.CAPTURE:
            poorest = self.captures != "auto" or form.captures is POOREST.captures
            return None if poorest else replace(form, captures=POOREST.captures)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(Generic[AnyArtifact]):
    """The stored objects of one job for one destination.

    derive : whether captures and report are not in the form asked for, and to be derived from these
    """

    captures: Sequence[AnyArtifact]
    companions: Sequence[AnyArtifact]
    report: AnyArtifact
    derive: bool


def choose(
    artifacts: Sequence[AnyArtifact], form: Form, companions: Collection[ArtifactKind] = ()
) -> Chosen[AnyArtifact]:
    """What is sent or derived from; companions in the order of `COMPANIONS`.

    Raises DestinationRefused if the job wrote no report from which this form can be had.
    """
    captures = [a for a in artifacts if a.kind is ArtifactKind.CAPTURE]
    reports = {form_of(a): a for a in artifacts if a.kind is ArtifactKind.REPORT}
    # Of a version before, without captures: reports of one class are all alike.
    alike = [a for a in reports.values() if not captures and a.report_variant is form.report]
    report = reports.get(form) or reports.get(RICHEST) or next(iter(alike), None)
    if report is None:
        raise DestinationRefused(
            f"the job wrote no {form.report} report with {form.captures} captures; requeue the job"
        )
    return Chosen(
        captures=[a for a in captures if a.capture_variant is report.capture_variant],
        companions=[
            a for kind in COMPANIONS if kind in companions for a in artifacts if a.kind is kind
        ],
        report=report,
        derive=form not in reports and RICHEST in reports,
    )


def form_of(report: HasVariant) -> Form | None:
    """The form of a report, and of the captures that it refers to; None of anything else."""
    if report.report_variant is None or report.capture_variant is None:
        return None
    return Form(report=report.report_variant, captures=report.capture_variant)
