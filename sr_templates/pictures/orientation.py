"""Where the edges of a picture point to in the patient, in letters (PS3.3 C.7.6.1.1.1)."""

from sr_templates.pictures.capture_view import Direction

_TOWARDS = (("L", "R"), ("P", "A"), ("H", "F"))
_VISIBLE = 0.26
"""Sine of 15 degrees: smaller components are not worth a letter of their own."""


def letters(direction: Direction) -> str:
    """The letters of an LPS unit vector, the largest component first: "L", "AL", "PF"."""
    parts = [
        (abs(value), positive if value > 0 else negative)
        for value, (positive, negative) in zip(direction, _TOWARDS, strict=True)
    ]
    parts.sort(key=lambda part: -part[0])
    return "".join(letter for size, letter in parts if size >= _VISIBLE)


def edge_letters(row_direction: Direction, col_direction: Direction) -> dict[str, str]:
    """Letters for "left", "right", "top" and "bottom" of a picture with these direction cosines."""
    return {
        "left": letters(_opposite(row_direction)),
        "right": letters(row_direction),
        "top": letters(_opposite(col_direction)),
        "bottom": letters(col_direction),
    }


def _opposite(direction: Direction) -> Direction:
    x, y, z = direction
    return (-x, -y, -z)
