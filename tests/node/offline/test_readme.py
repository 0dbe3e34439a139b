"""The README's example of the one Python call does what it says."""

from pathlib import Path

import pytest
from pydicom import Dataset

from tests.node.offline.conftest import write

README = Path(__file__).parents[3] / "README.md"


def test_the_readmes_example_runs(
    tmp_path: Path,
    marked: list[Dataset],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = (
        block.partition("```")[0]
        for block in README.read_text(encoding="utf-8").split("```python\n")[1:]
        if "analyse_paths" in block
    )
    write(tmp_path / "studies", marked)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(README), "exec"), {})
    outcome, nodule, probability, reason = capsys.readouterr().out.split()
    assert (outcome, nodule, reason) == ("analysed", "1", "None")
    assert 0 < float(probability) < 1
    assert (tmp_path / "results" / "results.jsonl").exists()
