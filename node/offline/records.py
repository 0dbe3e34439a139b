"""What a researcher's table says: one JSON line a nodule, and one for a study without any.

A nodule that was not judged has a line with `probability` null and the reason.  So has a study in
which nothing was judged: no line, no study.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from m3net.card import ModelCard
from node import __version__
from node.core.inputs import StudyInputs
from node.core.results import NoduleResult, Results
from sr_templates.band import Band
from sr_templates.findings import Outcome
from sr_templates.version import TEMPLATE_VERSION

Line = Mapping[str, object]
"""Plain JSON."""

NOTHING_FOR_THE_NODE = "nothing_for_the_node"
"""The outcome of a study that holds neither a CT nor an annotation of one."""


def nodule_lines(
    results: Results,
    *,
    inputs: StudyInputs,
    card: ModelCard,
    fingerprint: str,
    analysis_id: str,
    input_digest: str,
    band: Band | None,
    notes: Sequence[str],
    pictures: Mapping[str, Sequence[str]],
) -> list[Line]:
    """The lines of an analysed study, the judged nodules first.

    band     : in which a probability is indeterminate
    notes    : what was odd about the study's files
    pictures : per tracking UID the names of its files in the study's folder
    """
    study = {
        "study_instance_uid": inputs.study_instance_uid,
        "series_instance_uid": (
            None if inputs.series is None else inputs.series.series_instance_uid
        ),
        "outcome": results.outcome.value,
        "headline": results.headline,
    }
    made_by = {
        "remarks": list(results.remarks),
        "notes": list(notes),
        "model": card.name,
        "model_version": card.version,
        "model_fingerprint": fingerprint,
        "trained": card.trained,
        "software_version": __version__,
        "template_version": TEMPLATE_VERSION,
        "analysis_id": analysis_id,
        "input_digest": input_digest,
    }
    rows = [
        {
            "nodule": number,
            **asdict(nodule),
            "mean_axis_mm": nodule.measurements.mean_axis_mm,
            "call": _call(nodule, band),
            "indeterminate": None if band is None else [band.low, band.high],
            "files": list(pictures.get(nodule.tracking_uid, ())),
        }
        for number, nodule in enumerate(results.nodules, start=1)
    ]
    return [{**study, **row, **made_by} for row in rows or [_no_nodule(results.headline)]]


def failure_line(inputs: StudyInputs, *, why: str, notes: Sequence[str]) -> Line:
    """The line of a study at which the machinery failed, and of which no report could be made."""
    return {
        "study_instance_uid": inputs.study_instance_uid,
        "series_instance_uid": None,
        "outcome": Outcome.TECHNICAL_FAILURE.value,
        "headline": f"Technical failure, nothing was assessed: {why}",
        **_no_nodule(why),
        "notes": list(notes),
    }


def nothing_line(study_instance_uid: str, *, why: str, notes: Sequence[str]) -> Line:
    """The line of a study in which nothing is for the node."""
    return {
        "study_instance_uid": study_instance_uid,
        "series_instance_uid": None,
        "outcome": NOTHING_FOR_THE_NODE,
        "headline": f"Nothing was assessed: {why}.",
        **_no_nodule(why),
        "notes": list(notes),
    }


def _no_nodule(why: str) -> dict[str, object]:
    return {"nodule": None, "probability": None, "reason": why}


def _call(nodule: NoduleResult, band: Band | None) -> str | None:
    if band is None or nodule.probability is None:
        return None
    return band.call(nodule.probability).value
