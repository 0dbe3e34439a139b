"""Truncated, lying and hostile objects: one clear reason, in bounded time, and never a crash."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence as DicomSequence

from m3net.annotations.nodules import find_nodules
from m3net.annotations.readers import recognise
from m3net.attributes import PARSER_ERRORS
from m3net.ct.series import read_series
from m3net.errors import AnnotationUnusable, StudyError
from tests import synthetic
from tests.encodings import (
    ROI,
    Composite,
    Contour,
    Drawn,
    Finding,
    OnImages,
    Words,
    chest_cad,
    item,
    presentation_state,
    structure_set,
    to_mm,
)
from tests.m3net.annotations.scene import OUTLINE, as_received, box, outlined, planes_of

CT = synthetic.ct_series()
VOLUME = read_series(CT)
PLANES = planes_of(CT)
EDGE = np.array(OUTLINE) - 0.5
SECRET = "Mueller^Hans"

MADE: dict[str, Callable[[], Dataset]] = {
    "segmentation": lambda: synthetic.segmentation(CT, [box()]),
    "fractional": lambda: synthetic.segmentation(CT, [box().astype(float)], fractional=True),
    "label map": lambda: synthetic.segmentation(CT, [box()], labelmap=True),
    "report": lambda: outlined(CT, tracking_uid="1.2.3"),
    "structure set": lambda: structure_set(
        CT,
        [
            ROI(
                name="Nodule",
                contours=[Contour(points_mm=to_mm(CT[z], EDGE), image=CT[z]) for z in (2, 3, 4)],
            ),
            ROI(name="Liver", contours=[]),
        ],
    ),
    "chest CAD": lambda: chest_cad(
        CT,
        [
            Composite(
                parts=[
                    Finding(image=CT[z], outline=OUTLINE, centre=(6.5, 5.5), certainty=50)
                    for z in (2, 3)
                ],
                by_reference=[[1, 3, 2]],
            ),
            Finding(image=CT[4], outline=OUTLINE),
        ],
    ),
    "presentation state": lambda: presentation_state(
        CT,
        [
            OnImages(
                graphics=[
                    Drawn(shape="POLYLINE", points=OUTLINE),
                    Drawn(shape="CIRCLE", points=EDGE[:2]),
                ],
                texts=[Words(value="nodule", anchor=(5, 5)), Words(value="mean 3")],
                images=[CT[3]],
            ),
            OnImages(
                graphics=[
                    Drawn(shape="POLYLINE", points=np.array(OUTLINE) / [20, 16], units="DISPLAY")
                ],
                texts=[Words(value="nodule")],
            ),
        ],
    ),
}

MUTANTS = int(os.environ.get("M3NODE_MUTANTS", "100"))
"""Of each kind; 2 to 4 s of processor time.  M3NODE_MUTANTS sets another number."""

NONSENSE: tuple[object, ...] = (
    "",
    None,
    SECRET,
    "1.2",
    "-1",
    "0",
    "nan",
    "inf",
    "1e400",
    "9" * 400,
    "1,5",
    "\\".join(["1"] * 50_000),
    b"\xff\xfe\x00",
    [],
    [float("nan")] * 4,
    ["a"] * 3,
    -(2**31),
    2**40,
    1e308,
)
VRS = ("LO", "DS", "IS", "UI", "FL", "US", "SQ", "UN", "CS", "PN", "OB")


def read(ds: Dataset) -> int:
    """How many nodules are read of it; only a StudyError may come out, and it tells no secret."""
    reader = recognise(ds)
    if reader is None:
        return 0
    said = ""
    with suppress(StudyError):
        reader.references(ds)
    try:
        result = find_nodules([reader.read(ds, PLANES)], VOLUME)
        said = repr(result)
        count = len(result.nodules)
    except StudyError as error:
        said = str(error)
        count = 0
    assert SECRET not in said
    return count


def elements(ds: Dataset) -> Iterator[tuple[Dataset, DataElement]]:
    """Every element, at every depth, with the dataset that holds it."""
    for element in list(ds):
        yield ds, element
        if element.VR == "SQ":
            for inner in element.value:
                yield from elements(inner)


def written(ds: Dataset) -> bytes:
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def mutated(whole: bytes, rng: random.Random) -> Dataset:
    """The object with one to three faults."""
    broken = dcmread(BytesIO(whole))
    for _ in range(rng.randint(1, 3)):
        holder, element = rng.choice(list(elements(broken)))
        if element.tag not in holder:
            continue
        match rng.randrange(7):
            case 0:
                del holder[element.tag]
            case 1 | 2:
                _set(holder, element, rng.choice(VRS), rng.choice(NONSENSE))
            case 3:
                _set(holder, element, element.VR, rng.choice(NONSENSE))
            case 4 if element.VR == "SQ" and element.value:
                inner = rng.choice(element.value)
                element.value = DicomSequence([inner] * rng.choice((0, 2, 300)))
            case 5 if element.VR == "SQ" and element.value:
                _nest(element, rng.randint(2, 200))
            case _:
                value = element.value
                if isinstance(value, int | float) and not isinstance(value, bool):
                    _set(holder, element, element.VR, value * rng.choice((-1, 0, 1e6)))
    return broken


def _set(holder: Dataset, element: DataElement, vr: str, value: object) -> None:
    try:
        holder[element.tag] = DataElement(element.tag, vr, value)
    except PARSER_ERRORS:  # pydicom does not hold it: nothing to read
        del holder[element.tag]


def _nest(element: DataElement, depth: int) -> None:
    inner = element.value[0]
    for _ in range(depth):
        inner = item(ContentSequence=[inner], ValueType="CONTAINER")
    element.value = DicomSequence([inner])


@pytest.mark.filterwarnings("ignore")  # pydicom, of values and pixels that are damaged
@pytest.mark.parametrize("kind", MADE)
def test_nothing_but_a_reason_comes_of_a_damaged_object(kind: str) -> None:
    whole = written(MADE[kind]())
    assert read(dcmread(BytesIO(whole))) > 0
    rng = random.Random(20260102)
    longest = 0.0
    still_read = 0
    for _ in range(MUTANTS):
        broken = mutated(whole, rng)
        begin = time.process_time()
        still_read += bool(read(broken))
        longest = max(longest, time.process_time() - begin)
    assert longest < 5.0
    assert still_read > MUTANTS / 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", MADE)
def test_a_truncated_or_altered_file_gives_a_reason_or_is_no_dicom(kind: str) -> None:
    whole = written(MADE[kind]())
    rng = random.Random(20260103)
    for number in range(40):
        data = bytearray(whole)
        if number % 2:
            data = data[: rng.randrange(300, len(whole))]
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            ds = dcmread(BytesIO(data))
            list(elements(ds))  # intake looks at everything, for its digest
        except PARSER_ERRORS:
            continue
        read(ds)


def looped(width: int, depth: int) -> Dataset:
    """A CAD report whose references make width ** depth items of a few."""
    report = chest_cad(CT, [Finding(image=CT[3], outline=OUTLINE)])
    summary = report.ContentSequence[2]
    levels = []
    for level in range(depth):
        feature = deepcopy(summary.ContentSequence[0])
        feature.ConceptNameCodeSequence[0].CodeValue = "111015"
        target = [1, 3, level + 3]
        feature.ContentSequence.extend(
            item(RelationshipType="INFERRED FROM", ReferencedContentItemIdentifier=target)
            for _ in range(width)
        )
        levels.append(feature)
    summary.ContentSequence.extend(levels)
    return report


def test_a_tree_that_references_make_endless_is_refused_in_bounded_time() -> None:
    begin = time.process_time()
    hostile = as_received(looped(width=3, depth=25))
    reader = recognise(hostile)
    assert reader is not None
    with pytest.raises(AnnotationUnusable, match="make more than 200,000 content items of it"):
        reader.read(hostile, PLANES)
    assert time.process_time() - begin < 30


def test_a_million_points_are_refused_in_bounded_time() -> None:
    rng = np.random.default_rng(0)
    scribble = rng.uniform(2, 14, (300_000, 2))
    hostile = {
        "structure set": structure_set(
            CT, [ROI(name="Nodule", contours=[Contour(points_mm=to_mm(CT[3], scribble))])]
        ),
        "presentation state": presentation_state(
            CT,
            [
                OnImages(
                    graphics=[Drawn(shape="POLYLINE", points=scribble, filled="Y")],
                    texts=[Words(value="nodule")],
                    images=[CT[3]],
                )
            ],
        ),
        "chest CAD": chest_cad(CT, [Finding(image=CT[3], outline=scribble)]),
    }
    for made in hostile.values():
        begin = time.process_time()
        assert read(made) == 0
        assert time.process_time() - begin < 10
