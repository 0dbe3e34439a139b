"""deploy/CONFORMANCE.md says what this program does."""

from pathlib import Path

import pydicom
import pynetdicom

from m3net.annotations.readers import READERS
from node.operator.conformance import statement

COMMITTED = Path(__file__).parents[3] / "deploy" / "CONFORMANCE.md"
_DEPENDS_ON_DICTIONARIES = "### Accepted and stored"


def test_the_committed_statement_is_the_generated_one() -> None:
    committed, generated = COMMITTED.read_text(), statement()
    versions = f"pydicom {pydicom.__version__} and pynetdicom {pynetdicom.__version__};"
    if versions not in committed:  # other versions may know more classes, but nothing else changes
        committed, generated = (
            text.split("## Storage SCP", 1)[1].split(_DEPENDS_ON_DICTIONARIES, 1)[0]
            for text in (committed, generated)
        )
    assert committed == generated, (
        "run: python -m node.operator.conformance > deploy/CONFORMANCE.md"
    )


def test_it_names_what_people_look_for() -> None:
    text = statement()
    assert "| CT Image Storage | 1.2.840.10008.5.1.4.1.1.2 | CT |" in text
    assert "| JPEG Lossless, Process 14, Selection Value 1 | 1.2.840.10008.1.2.4.70 |" in text
    assert "| Comprehensive 3D SR Storage | 1.2.840.10008.5.1.4.1.1.88.34 | report" in text
    assert "RT Structure Set Storage" in text


def test_every_reader_says_what_becomes_of_what_it_meets() -> None:
    text = statement().split("### What is read of annotations", 1)[1].split("###", 1)[0]
    for reader in READERS.values():
        scope = reader.scope
        (row,) = (line for line in text.splitlines() if line.startswith(f"| {reader.kind} |"))
        for phrase in (*scope.read, *scope.listed, *scope.refused):
            assert phrase in row


def test_it_says_what_a_report_codes_and_how_it_stands_to_ai_results() -> None:
    text = statement()
    content = text.split("## What a report says of a nodule", 1)[1].split("\n## ", 1)[0]
    for code in ("111047", "103339001", "103340004", "118565006", "112031", "7771000, SCT, Left"):
        assert f"({code}" in content
    assert "FROM_MARK, 99M3NODE" in content
    air = text.split("## IHE Radiology, AI Results (AIR): Evidence Creator", 1)[1]
    assert "| root result: Comprehensive 3D SR, TID 1500 | met |" in air
    assert "| parametric maps | on request |" in air
    assert "(AIW-I) | not met |" in air
