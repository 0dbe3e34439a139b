"""In which lung and lobe a nodule lies, of what was measured and what the annotation codes."""

from m3net.lungs import Lungs
from m3net.nodule import Lobe, Nodule, Side, Site

NOWHERE = Site()


def locate(nodule: Nodule, lungs: Lungs | None) -> tuple[Site, str | None]:
    """Side and lobe as far as they are sure, and the contradiction if there is one.

    The side is measured, else the coded one; the lobe is the coded one.  Where the two contradict
    each other one of them is wrong, and neither side nor lobe is said.

    lungs : None if they are not seen for certain
    """
    measured = None if lungs is None else lungs.side_of(nodule.centre_mm)
    coded = nodule.site or NOWHERE
    told = coded.side or (Side.RIGHT if coded.lobe is Lobe.MIDDLE else None)
    if coded.lobe is Lobe.MIDDLE and told is Side.LEFT:
        return NOWHERE, "the annotation codes a middle lobe of the left lung: no side is said"
    if measured is not None and told is not None and measured is not told:
        return NOWHERE, (
            f"the annotation codes the {told} lung and it lies in the {measured} one: "
            "no side is said"
        )
    return Site(side=measured or told, lobe=coded.lobe), None
