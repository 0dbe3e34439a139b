"""The run folder of the default weights goes on with the recipe that it was begun with."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training import learning
from training.data.variants import Variation
from training.data.voi import read_cutouts
from training.shipped.bench import DefaultBench, OtherRecipe
from training.shipped.recipe import Recipe


@pytest.fixture
def bench(tmp_path: Path) -> DefaultBench:
    return DefaultBench(
        cutouts=read_cutouts(learning.write_cutouts(tmp_path / "cutouts", nodules=4)),
        directory=tmp_path / "run",
        seeds=range(2),
        recipe=Recipe(),
        variation=Variation(),
        count=3,
    )


def test_a_folder_goes_on_with_its_own_recipe(bench: DefaultBench) -> None:
    bench.begin()
    bench.begin()
    for other in (
        replace(bench, recipe=Recipe(epochs=30)),
        replace(bench, variation=Variation(outline=0.5)),
        replace(bench, count=20),
        replace(bench, cutouts=bench.cutouts[:3]),
    ):
        with pytest.raises(OtherRecipe, match="was made otherwise; use another --out"):
            other.begin()


def test_more_members_may_be_added_to_a_folder(bench: DefaultBench) -> None:
    bench.begin()
    replace(bench, seeds=range(5)).begin()


def test_a_folder_of_something_else_is_not_touched(bench: DefaultBench) -> None:
    bench.directory.mkdir()
    (bench.directory / "seed0_fold0.safetensors").touch()
    with pytest.raises(OtherRecipe, match=r"not empty and has no recipe\.json"):
        bench.begin()
