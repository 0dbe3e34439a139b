"""How a nodule is told: by its outline, by a diameter, or by its centre alone.

What a model says is good, and sure, to another degree for each, so the card tells each apart.
"""

from m3net.nodule import Nodule

OUTLINE, DIAMETER, CENTRE = "outline", "centre_and_diameter", "centre"
"""As the card names them."""

IN_WORDS = {
    OUTLINE: "one reader's outline",
    DIAMETER: "a centre and a diameter",
    CENTRE: "a bare centre",
}
"""Behind "told", for people."""


def told_as(nodule: Nodule) -> str:
    """By what it is known: its outline, else its diameter, else its centre alone."""
    if nodule.mask is not None:
        return OUTLINE
    return CENTRE if nodule.diameter_mm is None else DIAMETER
