"""Headline, comment, lists and the demo's table tell one probability in one way."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from m3net.weights import load_card
from node.cli.rows import show_nodules
from node.core.wording import headline
from node.demo.present import show_report
from node.demo.reading import read_report
from sr_templates.findings import Outcome
from tests.node.core.test_drawn import masked, volume
from tests.node.core.test_findings import described
from tests.sr_templates.examples import FULL, ROUND
from tests.sr_templates.objects.test_measurement_report import report
from tests.sr_templates.test_probability import TOLD


@pytest.mark.parametrize(("probability", "told"), TOLD)
def test_the_headline(probability: float, told: str) -> None:
    line = headline(Outcome.ANALYSED, trained=True, probabilities=[("Nodule 1", probability)])
    assert line == f"1 of 1 nodule analysed. Probability of malignancy {told}."


@pytest.mark.parametrize(("probability", "told"), TOLD)
def test_the_comment(probability: float, told: str) -> None:
    ct = volume()
    card = replace(load_card("untrained"), trained=True)
    comment = described(
        ct, masked(ct, (4, 9, 14), (3, 3, 3)), probability=probability, card=card
    ).finding.comment
    assert comment.startswith(f"Probability of malignancy {told}; Im 495")


@pytest.mark.parametrize(("probability", "told"), TOLD)
def test_the_lists(probability: float, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodule = {
        "tracking_id": "Nodule 1",
        "centre_index": None,
        "centre_mm": None,
        "diameter_mm": None,
        "probability": probability,
        "reason": None,
    }
    show_nodules([nodule])
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(("probability", "told"), TOLD)
def test_the_demos_table(probability: float, told: str) -> None:
    """It has only the report, whose number must not be rounded a second time."""
    built = report(replace(FULL, nodules=(replace(ROUND, probability=probability),)))
    shown = io.StringIO()
    show_report(
        Console(file=shown, width=160),
        read_report(built, {}),
        report_path=Path("report.dcm"),
        pictures={},
    )
    assert f" {told} " in shown.getvalue()
