from pathlib import Path

from tests.node.cli.conftest import Cli
from tests.node.inbound.test_lidc_xml import BOXED, message, written


def test_ingest_takes_in_the_readers_marks_once(
    cli: Cli, tmp_path: Path, config_file: Path
) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    path = written(folder, message(BOXED + "<nonNodule/>", BOXED))
    said = cli("ingest", folder, "--config", config_file)
    assert said.out.splitlines() == [
        f"{path}: 1 marks without an outline (nodules under 3 mm, non-nodules) are left out",
        "10 new, 0 known already, 0 newer versions, 0 skipped, 0 refused",
    ]
    assert "0 new, 2 known already" in cli("ingest", path, "--config", config_file).out
    (folder / "0.dcm").unlink()
    path.write_text(message(BOXED)[:-9])
    said = cli("ingest", path, "--config", config_file)
    assert (said.status, "the XML is damaged" in said.err) == (1, True)
