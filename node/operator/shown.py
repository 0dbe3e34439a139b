"""Which object of ours a peer takes or a viewer shows: shown.tsv has a line for each test of it.

The file is written from the marks of the tests (tests/shown.py), which also hold it to them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from node.operator.markdown import table

TABLE = Path(__file__).with_name("shown.tsv")

OBJECTS = (
    "Comprehensive 3D SR",
    "Comprehensive SR",
    "Report without any nodule",
    "Multi-frame capture",
    "Single-frame capture",
    "Presentation state",
    "Key objects",
    "PDF",
    "Parametric map",
)
PEERS = (
    "dciodvfy",
    "pixelmed",
    "dsrdump",
    "dcmj2pnm",
    "Orthanc DIMSE",
    "Orthanc DICOMweb",
    "OHIF",
    "dwv",
    "Orthanc's viewer",
)


class Claim(NamedTuple):
    """A peer takes or shows an object, and in which way; `test` is FILE::NAME."""

    of: str
    peer: str
    what: str
    test: str


def read_claims(path: Path) -> list[Claim]:
    """The claims that stand in a file."""
    return [Claim(*line.split("\t")) for line in path.read_text("utf-8").splitlines()[1:]]


def claims_text(claims: Iterable[Claim]) -> str:
    """What such a file is: a head, then one claim a line, by the table's rows and columns."""
    lines = ["\t".join(Claim._fields), *("\t".join(claim) for claim in in_order(claims))]
    return "\n".join(lines) + "\n"


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """By the table's rows and columns."""
    return sorted(claims, key=lambda c: (OBJECTS.index(c.of), PEERS.index(c.peer), c.what, c.test))


def shown_table(claims: Iterable[Claim]) -> list[str]:
    """Markdown: objects by peers, each cell what was shown with links to the tests."""
    claims = in_order(claims)
    tests = list(dict.fromkeys(claim.test for claim in claims))
    cells: dict[tuple[str, str], list[str]] = {}
    for claim in claims:
        link = f"[{claim.what}][t{tests.index(claim.test) + 1}]"
        cells.setdefault((claim.of, claim.peer), []).append(link)
    rows = [(of, *(", ".join(cells.get((of, peer), ["-"])) for peer in PEERS)) for of in OBJECTS]
    links = []
    for number, test in enumerate(tests, start=1):
        file, _, name = test.partition("::")
        links.append(f'[t{number}]: ../{file} "{name}"')
    return [*table(("Object", *PEERS), rows), "", *links]
