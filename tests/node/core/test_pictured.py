"""What stands on a picture of model and evidence."""

from dataclasses import replace

import pytest

from m3net.evidence import Evidence, Measured
from m3net.weights import load_card
from node.core.pictured import grounds_of, meaning_in_short, method_of


def test_the_meaning_is_the_cards_own_or_its_first_clause_and_what_it_is_not() -> None:
    assert meaning_in_short(load_card("default")) == "as radiologists would rate it, not histology"
    assert meaning_in_short(replace(load_card("default"), in_short="")) == (
        "probability that radiologists would rate the nodule above 3 of 5 for suspicion of "
        "malignancy on average; not histology"
    )
    bare = replace(load_card("default"), in_short="", meaning="probability of cancer in a year")
    assert meaning_in_short(bare) == "probability of cancer in a year"


@pytest.mark.parametrize(
    ("cam", "name"), [("hirescam", "HiResCAM"), ("gradcam", "Grad-CAM"), (None, "Grad-CAM")]
)
def test_the_map_is_called_what_it_is(cam: str | None, name: str) -> None:
    config = {} if cam is None else {"cam": cam}
    assert method_of(replace(load_card("default"), config=config)) == name


def test_measurements_are_told_with_unit_and_median() -> None:
    size = Measured(
        words="size",
        told_as="volume",
        unit="mm³",
        decimals=0,
        value=6709.4,
        usual=225.3,
        effect=0.2,
    )
    shape = replace(size, words="elongation", told_as="short to long axis", unit="", decimals=2)
    shape = replace(shape, value=0.456, usual=0.658)
    told = grounds_of(
        Evidence(images=1.0, measurements=2.0, measured=(size, shape), estimate=0.8, of_usual=0.5)
    )
    assert told is not None
    assert [bar.detail for bar in told.bars] == [
        "volume 6.7 mL, median 225 mm3",
        "short to long axis 0.46, median 0.66",
    ]
    assert (told.images, told.measurements, told.estimate) == (1.0, 2.0, 0.8)
    assert grounds_of(None) is None


def test_of_a_nodule_that_is_cut_off_the_bars_tell_the_part_that_was_imaged() -> None:
    size = Measured(
        words="size",
        told_as="volume",
        unit="mm³",
        decimals=0,
        value=5209.4,
        usual=225.3,
        effect=0.2,
    )
    evidence = Evidence(images=1.0, measurements=2.0, measured=(size,), estimate=0.8, of_usual=0.5)
    told = grounds_of(evidence, cut=True)
    assert told is not None
    assert told.of_part
    assert [bar.detail for bar in told.bars] == ["volume at least 5.2 mL, median 225 mm3"]
