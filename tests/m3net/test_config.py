"""A config is plain data that survives a file."""

import json
from dataclasses import replace

import pytest

from m3net.config import PRESETS, RELEASE, SMALL, M3NetConfig, preset
from m3net.scales import ContextBox, Scale, ScaleSpec


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_config_comes_back_from_json_as_it_was(name: str) -> None:
    config = preset(name)
    assert M3NetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_config_with_every_option_comes_back_too() -> None:
    physical = ScaleSpec(size=(32, 32, 32), spacing_mm=(1.0, 1.0, 1.0))
    context = ContextBox(margin_share=(0.15, 0.15, 0.15), min_extent_voxels=(0, 44, 44))
    config = replace(
        SMALL,
        micro=replace(SMALL.micro, patch=physical),
        scales=(Scale.MICRO, Scale.MACRO),
        preprocessing=replace(SMALL.preprocessing, mask=True, context=context),
    )
    assert M3NetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ValueError, match="not the config of an M³Net"):
        M3NetConfig.from_json({**SMALL.to_json(), "colour": "red"})


def test_scales_are_named_in_their_order() -> None:
    with pytest.raises(ValueError, match="in that order"):
        replace(SMALL, scales=(Scale.MACRO, Scale.MICRO))


def test_the_published_fusion_needs_all_scales() -> None:
    with pytest.raises(ValueError, match="no stand-in"):
        replace(RELEASE, scales=(Scale.MICRO, Scale.MESO))


def test_a_preset_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(ValueError, match="there are release, paper, small"):
        preset("large")


def test_the_paper_differs_from_the_release_in_fusion_tokens_and_intensity_alone() -> None:
    paper, release = preset("paper"), preset("release")
    for scale in Scale:
        assert paper.branch(scale).encoder == release.branch(scale).encoder
        assert paper.branch(scale).patch == release.branch(scale).patch
    assert release.preprocessing.in_words() == "each crop's own minimum and maximum to 0 and 1"
    assert paper.preprocessing.in_words() == "HU as they are"
    assert preset("small").preprocessing.in_words().split("; ") == [
        "-1000 to 400 HU to 0 and 1, clipped",
        "a channel that marks padding",
        "the nodule's mask as a channel",
        "the nodule's size, shape, density and edge as measured from its mask",
        "nothing beyond the nodule's extent and 15% x 15% x 15% of it (z, y, x) on each side, in "
        "all at least 0 x 44 x 44 voxels",
    ]


def test_a_grid_in_millimetres_does_not_shift() -> None:
    with pytest.raises(ValueError, match="omit spacing_mm"):
        ScaleSpec(size=(32, 32, 32), spacing_mm=(1.0, 1.0, 1.0), border="shift")
