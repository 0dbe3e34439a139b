"""The table of who shows what is what the tests claim, and each claim is a test that exists."""

from pathlib import Path

import pytest

from node.operator.shown import OBJECTS, TABLE, claims_text, read_claims
from tests import shown
from tests.viewers.kinds import REPORTS


def test_every_claim_of_the_tests_is_in_the_table(request: pytest.FixtureRequest) -> None:
    missing = shown.claims_of(request.session.items) - set(read_claims(TABLE))
    assert not missing, "regenerate it: see tests/shown.py, then deploy/CONFORMANCE.md"


def test_every_line_of_the_table_is_a_test_and_in_order() -> None:
    claims = read_claims(TABLE)
    assert TABLE.read_text() == claims_text(claims)
    for claim in claims:
        file, _, name = claim.test.partition("::")
        assert f"\ndef {name}(" in Path(file).read_text()


@pytest.mark.parametrize("of", OBJECTS)
def test_every_object_is_tried_by_all_who_can_take_it(of: str) -> None:
    everybody = ("dciodvfy", "Orthanc DIMSE", "Orthanc DICOMweb", "OHIF")
    own = {
        "report": ("pixelmed", "dsrdump", "dwv", "Orthanc's viewer"),
        "capture": ("dcmj2pnm", "Orthanc's viewer"),
    }
    kind = "report" if of in REPORTS else of.rpartition(" ")[2]
    tried = {claim.peer for claim in read_claims(TABLE) if claim.of == of}
    assert {*everybody, *own.get(kind, ())} <= tried
