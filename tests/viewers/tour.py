"""One browser on every viewer: what was asked of it, and what it saw.

python -m tests.viewers.tour --out SEEN FOLDER     # by hand: OHIF on the study in a folder
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.peers import orthanc
from tests.viewers.packages import PLAYWRIGHT, require_packages
from tests.viewers.pages import served

_SCRIPT = Path(__file__).with_name("look.cjs")


def visit(visits: Sequence[Mapping[str, object]], out: Path, *, timeout_s: float) -> None:
    """`out` holds what each visit saw (NAME.json) and its screenshots (NAME-STEP.png).

    visits : a name, a viewer (`ohif`, `dwv`, `orthanc`) and what its script wants
    """
    request = out / "request.json"
    asked = {"playwright": str(PLAYWRIGHT.folder), "out": str(out), "visits": list(visits)}
    request.write_text(json.dumps(asked))
    done = subprocess.run(
        ["node", _SCRIPT, request],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"the browser's script ended with {done.returncode}:\n{done.stdout}")


def seen(out: Path, name: str) -> Any:
    """What one visit saw; the test fails if the viewer did not get so far."""
    told = json.loads((out / f"{name}.json").read_text())
    if "failed" in told:
        pytest.fail(f"{name} stopped: {told['failed']}\nthe page said: {told['said']}")
    assert told["said"] == [], "the viewer complains"
    return told["shown"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.viewers.tour", description=__doc__)
    parser.add_argument("folder", type=Path, help="one study: CT, annotation and our results")
    parser.add_argument("--out", type=Path, required=True, help="where the screenshots go")
    asked = parser.parse_args()
    require_packages()
    files = sorted(path for path in asked.folder.rglob("*.dcm"))
    if not files:
        parser.error("needs *.dcm files in the folder")
    asked.out.mkdir(parents=True, exist_ok=True)
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    with tempfile.TemporaryDirectory() as scratch, orthanc(Path(scratch)) as peer:
        for path in files:
            peer.add(dcmread(path))
        with served(peer.url) as base:
            look = {"name": "ohif", "viewer": "ohif", "base": base, "study": study}
            visit([look], asked.out, timeout_s=600)
    sys.stdout.write((asked.out / "ohif.json").read_text() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
