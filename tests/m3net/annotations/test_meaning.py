import pytest
from pydicom.sr.coding import Code

from m3net.annotations.meaning import why_no_nodule

ALTERED = Code("49755003", "SCT", "Morphologically Altered Structure")
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
TISSUE = Code("85756007", "SCT", "Tissue")
NODULE = Code("27925004", "SCT", "Nodule")


@pytest.mark.parametrize(
    ("category", "kind", "site", "expected"),
    [
        (ALTERED, NODULE, None, None),
        (Code("M-01000", "SRT", "x"), Code("M-03010", "SRT", "x"), None, None),
        (ALTERED, Code("52988006", "SCT", "Lesion"), Code("39607008", "SCT", "Lung"), None),
        (ALTERED, Code("1", "99X", "ground glass"), None, None),
        (None, Code("RID50149", "RADLEX", "pulmonary nodule"), None, None),
        (ANATOMY, NODULE, None, None),
        (None, None, None, None),
        (None, Code("CORNERSTONEFREETEXT", "CORNERSTONEJS", "here"), None, None),
        (ALTERED, Code("87433001", "SCT", "Pulmonary emphysema"), None, "Pulmonary emphysema"),
        (ANATOMY, Code("39607008", "SCT", "Lung"), None, "Lung"),
        (TISSUE, TISSUE, None, "Tissue"),
        (None, Code("15825003", "SCT", "Aorta"), None, "Aorta"),
        (ALTERED, NODULE, Code("10200004", "SCT", "Liver"), "a finding in: Liver"),
        (None, Code("x", "SCT", "Nodule of thyroid"), None, "Nodule of thyroid"),
        (None, Code("x", "99LOCAL", "aorta of Mrs Smith"), None, "something else"),
    ],
)
def test_what_may_be_a_lung_nodule(category, kind, site, expected) -> None:
    assert why_no_nodule(category=category, kind=kind, site=site) == expected
