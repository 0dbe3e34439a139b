"""Side and lobe: measured and coded, and neither where they contradict each other."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.lungs import Lungs
from m3net.nodule import Lobe, Side, Site
from node.core.located import NOWHERE, locate
from tests.node.core.test_drawn import nodule, volume

LUNGS = Lungs(
    right_mm=np.array([[-160.0, -40.0, 210.0]]), left_mm=np.array([[-95.0, -45.0, 212.0]])
)
IN_LEFT = nodule(volume(), (5, 10, 15))  # LPS (-92.5, -45, 212.5)


@pytest.mark.parametrize(
    ("coded", "lungs", "site"),
    [
        (None, LUNGS, Site(side=Side.LEFT)),
        (None, None, NOWHERE),
        (Site(lobe=Lobe.UPPER), LUNGS, Site(side=Side.LEFT, lobe=Lobe.UPPER)),
        (Site(side=Side.LEFT, lobe=Lobe.LOWER), LUNGS, Site(side=Side.LEFT, lobe=Lobe.LOWER)),
        (Site(side=Side.RIGHT), None, Site(side=Side.RIGHT)),
        (Site(lobe=Lobe.MIDDLE), None, Site(side=Side.RIGHT, lobe=Lobe.MIDDLE)),
    ],
)
def test_what_is_sure_is_said(coded: Site | None, lungs: Lungs | None, site: Site) -> None:
    assert locate(replace(IN_LEFT, site=coded), lungs) == (site, None)


@pytest.mark.parametrize(
    ("coded", "lungs", "because"),
    [
        (
            Site(side=Side.RIGHT, lobe=Lobe.UPPER),
            LUNGS,
            "the annotation codes the right lung and it lies in the left one: no side is said",
        ),
        (
            Site(lobe=Lobe.MIDDLE),
            LUNGS,
            "the annotation codes the right lung and it lies in the left one: no side is said",
        ),
        (
            Site(side=Side.LEFT, lobe=Lobe.MIDDLE),
            None,
            "the annotation codes a middle lobe of the left lung: no side is said",
        ),
    ],
)
def test_a_contradiction_is_named_and_no_side_is_said(
    coded: Site, lungs: Lungs | None, because: str
) -> None:
    assert locate(replace(IN_LEFT, site=coded), lungs) == (NOWHERE, because)
