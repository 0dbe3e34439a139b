"""What each row is told, and that equal runs are one run."""

from dataclasses import replace
from pathlib import Path

import pytest

from m3net.config import M3NetConfig
from tests.training import learning
from training.data.errors import SettingsUnusable
from training.learn.losses import LossWeights
from training.learn.settings import Settings
from training.tables.grid import GRIDS, Row
from training.tables.rows import TableSettings, check_parts, run_row
from training.tables.rows import _steps as steps


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> TableSettings:
    directory = tmp_path_factory.mktemp("tables")
    return TableSettings(
        directory=directory / "out",
        data=learning.write_cutouts(directory / "cutouts"),
        split=str(directory / "cutouts" / "split.csv"),
        preset="paper",
        budget="paper",
        starts={},
    )


def row_of(number: int, key: str) -> Row:
    return next(row for row in GRIDS[number].rows if row.key == key)


def told(number: int, key: str, table: TableSettings) -> Settings:
    return steps(row_of(number, key), table, nodules="n")[-1][2]


def config_of(number: int, key: str, table: TableSettings) -> M3NetConfig:
    return told(number, key, table).network.config()


@pytest.mark.parametrize(
    ("key", "low", "high", "transformer"),
    [
        ("a", True, False, "none"),
        ("c", False, False, "parallel"),
        ("d", True, True, "none"),
        ("f", False, True, "parallel"),
        ("g", True, True, "parallel"),
    ],
)
def test_table_4_leaves_out_what_its_row_says(
    key: str, low: bool, high: bool, transformer: str, table: TableSettings
) -> None:
    fusion = config_of(4, key, table).fusion
    assert (fusion.low, fusion.high, fusion.transformer) == (low, high, transformer)


def test_table_5_reads_the_scales_of_its_row(table: TableSettings) -> None:
    assert config_of(5, "e", table).scales == ("micro", "macro")
    assert [row_of(5, key).output for key in "abc"] == ["micro", "meso", "macro"]
    assert [row_of(5, key).fusion for key in "abc"] == [None, None, None]


def test_table_8_weighs_the_terms_of_its_row_alone(table: TableSettings) -> None:
    def weights(key: str) -> LossWeights:
        return told(8, key, table).loss.weights()

    only_nce, everything = weights("a"), weights("e")
    assert (only_nce.cov, only_nce.orth, only_nce.nuc) == (0, 0, 0)
    assert only_nce.nce == everything.nce
    only_nuc = weights("d")
    assert set(only_nuc.nce.values()) == {0}
    assert (only_nuc.cov, only_nuc.orth, only_nuc.nuc) == (0, 0, everything.nuc)
    assert weights("CE only").beta == 0


def test_table_2_cuts_its_crops(table: TableSettings) -> None:
    settings = told(2, "ConvNeXt-B 96", table)
    assert settings.network.baseline == "ConvNeXt-B"
    assert settings.network.config().meso.patch.size == (56, 96, 96)
    assert settings.run.epochs == 200


def test_rows_share_the_runs_that_are_equal(table: TableSettings) -> None:
    def folders(number: int, key: str) -> list[str]:
        return [name for name, _, _ in steps(row_of(number, key), table, nodules="n")]

    ours = folders(3, "M3Net")
    assert len(ours) == 2
    assert ours == folders(4, "g") == folders(5, "g") == folders(6, "with") == folders(8, "e")
    assert folders(5, "a") == ours[:1]
    assert folders(8, "a")[0] == ours[0]
    assert folders(8, "a")[1] != ours[1]
    assert not set(folders(6, "without")) & set(ours)
    other = [name for name, _, _ in steps(row_of(3, "M3Net"), table, nodules="others")]
    assert not set(other) & set(ours)


def test_a_row_that_cannot_be_run_says_why(table: TableSettings) -> None:
    result = run_row(row_of(3, "MLSL-Net"), table, nodules="n")
    assert result.predictions == ()
    assert result.status.startswith("not run: its layers are described only in a paper")


def test_a_row_that_was_not_asked_for_is_not_run(table: TableSettings) -> None:
    result = run_row(row_of(3, "ResNet-18"), table, nodules="n", asked=False)
    assert result.status == "not run: not asked for"
    assert not result.runs
    assert not list(table.directory.glob("runs/resnet-18-*"))


def test_pretrained_weights_go_to_whom_they_are_named_for(
    table: TableSettings, tmp_path: Path
) -> None:
    file = tmp_path / "w.safetensors"
    given = replace(table, starts={"micro": file, "ViT-B": file})
    assert steps(row_of(3, "M3Net"), given, nodules="n")[0][2].run.init == (f"micro={file}",)
    assert steps(row_of(3, "ViT-B"), given, nodules="n")[0][2].run.init == (str(file),)
    assert steps(row_of(3, "DINOv2"), given, nodules="n")[0][2].run.init == ()


def test_parts_of_one_class_are_refused_before_anything_is_trained(
    table: TableSettings, tmp_path: Path
) -> None:
    assert check_parts(table)[0] == {"training": 16, "validation": 4, "test": 4}
    rows = ["name,part", *(f"n{i},{'test' if i % 2 else 'train'}" for i in range(24))]
    (tmp_path / "split.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(SettingsUnusable, match="has 12 nodules, not of both classes"):
        check_parts(replace(table, split=str(tmp_path / "split.csv")))


def test_baselines_are_trained_as_the_network_beside_them(table: TableSettings) -> None:
    for preset in ("paper", "small"):
        beside = replace(table, preset=preset)
        ours = steps(row_of(3, "M3Net"), beside, nodules="n")[0][2]
        theirs = steps(row_of(3, "ResNet-18"), beside, nodules="n")[0][2]
        assert ours.run == theirs.run
        assert ours.data == theirs.data
        assert theirs.network.config().meso.patch.size == (56, 64, 64)


def test_the_published_network_is_augmented_as_its_code_does(table: TableSettings) -> None:
    released = replace(table, preset="release")
    augmented = {
        key: steps(row_of(6, key), released, nodules="n")[-1][2].data.augmentation
        for key in ("without", "with", "clinical")
    }
    assert augmented == {"without": "none", "with": "release", "clinical": "clinical"}
    assert steps(row_of(3, "M3Net"), released, nodules="n")[-1][2].stage2.freeze == "all_but_head"


def test_a_seed_changes_the_run_and_no_nodule(table: TableSettings) -> None:
    first, other = (steps(row_of(3, "M3Net"), table, nodules="n", seed=s) for s in (0, 1))
    assert not {name for name, _, _ in first} & {name for name, _, _ in other}
    assert [settings.run.seed for _, _, settings in other] == [1, 1]
    assert first[1][2].data == other[1][2].data
