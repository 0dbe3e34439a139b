"""Which of a job's objects go to one destination: the richest form that it takes.

A job leaves every variant that a destination may need; each report refers to the captures of its
own set.  Where a destination rejects a storage class, the next poorer form of that kind is tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

from node.core.errors import DestinationRefused
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant

_REPORTS = (ReportVariant.COMPREHENSIVE_3D, ReportVariant.COMPREHENSIVE)
_CAPTURES = (CaptureVariant.MULTI_FRAME, CaptureVariant.SINGLE_FRAME)


class HasVariant(Protocol):
    """What is looked at of an artifact."""

    @property
    def kind(self) -> ArtifactKind:
        """Report or capture."""
        ...

    @property
    def report_variant(self) -> ReportVariant | None:
        """None for captures."""
        ...

    @property
    def capture_variant(self) -> CaptureVariant:
        """Of a report: the captures that it refers to."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """The storage class."""
        ...


AnyArtifact = TypeVar("AnyArtifact", bound=HasVariant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One storage class for reports and one for captures."""

    report: ReportVariant
    captures: CaptureVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the configuration says of one destination; "auto" is richest first."""

    report: Literal["auto"] | ReportVariant
    captures: Literal["auto"] | CaptureVariant

    def first(self, report: ReportVariant | None, captures: CaptureVariant | None) -> Form:
        """The form to begin with; the arguments are what an earlier try has found out.

        A setting goes before what was found out, since a person may have changed it meanwhile.
        """
        return Form(
            report=(report or _REPORTS[0]) if self.report == "auto" else self.report,
            captures=(captures or _CAPTURES[0]) if self.captures == "auto" else self.captures,
        )

    def poorer(self, form: Form, rejected: ArtifactKind) -> Form | None:
        """The form to try after a storage class of that kind was rejected; None: there is none."""
        if rejected is ArtifactKind.REPORT:
            poorest = self.report != "auto" or form.report == _REPORTS[-1]
            return None if poorest else replace(form, report=_REPORTS[-1])
        poorest = self.captures != "auto" or form.captures == _CAPTURES[-1]
        return None if poorest else replace(form, captures=_CAPTURES[-1])


def in_form(artifacts: Sequence[AnyArtifact], form: Form) -> list[AnyArtifact]:
    """The captures of that form, then the report that refers to them.

    Without captures, reports of one class are all alike, and the first is taken.
    Raises DestinationRefused if the job wrote no such report.
    """
    every_capture = [a for a in artifacts if a.kind is ArtifactKind.CAPTURE]
    captures = [a for a in every_capture if a.capture_variant is form.captures]
    reports = [
        a
        for a in artifacts
        if a.kind is ArtifactKind.REPORT
        and a.report_variant is form.report
        and (not every_capture or a.capture_variant is form.captures)
    ]
    if not reports:
        raise DestinationRefused(
            f"the job wrote no {form.report} report with {form.captures} captures; requeue the job"
        )
    return [*captures, reports[0]]


def kind_of(sop_class_uid: str, artifacts: Sequence[AnyArtifact]) -> ArtifactKind | None:
    """The kind of the artifacts of that storage class; None if there are none."""
    return next((a.kind for a in artifacts if a.sop_class_uid == sop_class_uid), None)
