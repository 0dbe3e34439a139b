"""`m3train figure`: each figure is drawn, with what it is to show in it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from m3net.card import ModelCard
from m3net.network import build
from m3net.weights import save_weights
from tests.training import learning
from tests.training.figures.test_series import write_table
from training.cli import main
from training.figures.bars import draw_bars
from training.figures.confusion import draw_confusion
from training.figures.curves import draw_reliability, draw_roc
from training.figures.pictures import corrected
from training.figures.series import read_series

TRUTH = [0, 1, 0, 1, 0, 1]
ROWS = {
    "ResNet-18": [0.2, 0.9, 0.8, 0.3, 0.7, 0.8],
    "NASLung": [0.3, 0.4, 0.9, 0.2, 0.3, 0.9],
    "M3Net": [0.1, 0.8, 0.2, 0.9, 0.1, 0.4],
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rows of Table 3, the cut-outs that they tested, M³Net's weights."""
    directory = tmp_path_factory.mktemp("figures")
    learning.write_cutouts(directory / "cutouts", nodules=6)
    write_table(directory, ROWS, malignant=TRUTH)
    config = learning.config()
    card = ModelCard(
        name="M3Net small", version="test", preset="small", trained=True, threshold=0.5,
        meaning="a test", preprocessing=config.preprocessing.in_words(), training_data="none",
        licence="none",
    )  # fmt: skip
    weights = directory / "runs" / "M3Net" / "weights.safetensors"
    save_weights(build(config, seed=0), card, weights)
    return directory


def drawn(name: str, table: Path, out: Path, *more: str) -> Result:
    command = ["figure", name, "--from", str(table), "--out", str(out), *more]
    return CliRunner().invoke(main, command)


@pytest.mark.parametrize("name", ["confusion", "bars", "roc", "pr", "reliability"])
def test_charts_are_drawn(name: str, table: Path, tmp_path: Path) -> None:
    result = drawn(name, table, tmp_path / "figure.png")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "figure.png") as image:
        assert min(image.size) > 400


@pytest.mark.parametrize("name", ["cases", "gradcam"])
def test_pictures_are_drawn(name: str, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "figure.png"
    result = drawn(name, table, out, "--data", str(table / "cutouts"))
    assert result.exit_code == 0, result.output
    with Image.open(out) as image:
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 100


def test_a_matrix_shows_its_counts_and_the_papers(table: Path) -> None:
    axes = draw_confusion(read_series(table)).axes[2]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["3\n100 %", "0\n0 %", "1\n33 %", "2\n67 %"]
    assert axes.get_xlabel() == "paper: 478 34 / 54 109"


def test_curves_name_the_area_here_and_in_the_paper(table: Path) -> None:
    legend = draw_roc(read_series(table)).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "M³Net, 1.000 (0.854)",
        "ResNet-18, 0.722 (0.814)",
        "NASLung, 0.500 (0.850)",
    ]


def test_bars_are_as_long_as_the_metric(table: Path) -> None:
    accuracy = draw_bars(read_series(table)).axes[0]
    lengths = [bar.get_width() for bar in accuracy.patches]
    assert lengths == pytest.approx([50, 50, 500 / 6])
    marks = accuracy.lines[-1].get_xdata()
    assert list(marks) == [82.67, 83.70, 86.96]


def test_reliability_states_the_error(table: Path) -> None:
    texts = [a.texts[0].get_text() for a in draw_reliability(read_series(table)).axes[:3]]
    assert all(text.startswith("ECE 0.") for text in texts)


def test_cases_are_those_that_others_get_wrong_and_count_both_ways(table: Path) -> None:
    chosen, gained, lost = corrected(read_series(table))
    # n3 (malignant) and n2 (benign): both others are wrong; n1 and n4: one is
    assert chosen[:2] == [3, 2]
    assert sorted(chosen) == [1, 2, 3, 4]
    assert (gained, lost) == (4, 1)


def test_mistakes_are_named(table: Path, tmp_path: Path) -> None:
    assert "give --data" in drawn("cases", table, tmp_path / "a.png").output
    assert "name ending in .png" in drawn("roc", table, tmp_path / "a.gif").output
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "neither a run nor table 3" in drawn("roc", empty, tmp_path / "a.png").output
    more = ("--data", str(table / "cutouts"), "--nodule", "n9")
    assert "has no nodule n9" in drawn("gradcam", table, tmp_path / "a.png", *more).output
