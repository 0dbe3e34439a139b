"""Every row of Tables 2 and 3 is a network of the stated size, or says why it is none."""

import pytest
import torch

from training.baselines import BASELINES, BaselineUnavailable, build
from training.published import published_rows

PARAMETERS = {
    "ResNet-18": 33_161_026,
    "ResNet-34": 63_470_658,
    "ConvNeXt-T": 27_822_434,
    "ConvNeXt-B": 87_569_538,
    "ConvNeXt-XL": 348_154_114,
    "DeepLung": 36_968_850,
    "3D-CNN": 1_745_602,
    "NASLung": 28_456_204,
    "MVCS": 98_987_330,
    "ViT-B": 85_800_194,
    "DINOv2": 85_726_466,
    "DINOv3": 85_670_402,
    "M3D-LaMed": 87_390_722,
    "3DINO-ViT": 306_911_234,
}


def parameters(name: str, size: tuple[int, int, int] = (56, 64, 64)) -> int:
    with torch.device("meta"):
        network = build(name, size=size)
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_row_has_its_parameters(name: str) -> None:
    assert parameters(name) == PARAMETERS[name] == BASELINES[name].parameters


@pytest.mark.parametrize("name", ["NASLung", "DeepLung", "MVCS"])
def test_three_rows_have_table_7s_parameters(name: str) -> None:
    row = BASELINES[name]
    assert row.parameters_m == pytest.approx(row.parameters_m_paper, abs=0.001)


def test_dinov3_falls_short_of_table_7_and_says_so() -> None:
    row = BASELINES["DINOv3"]
    assert (row.parameters_m, row.parameters_m_paper) == (85.670402, 85.904)
    assert any("85.670 M" in sentence and "85.904 M" in sentence for sentence in row.departs)


def test_the_3d_cnn_has_its_papers_parameters_on_its_papers_input() -> None:
    assert parameters("3D-CNN", (64, 128, 128)) == 10_658_498


def test_every_row_of_table_3_is_here() -> None:
    theirs = {row.model for row in published_rows() if row.table == 3} - {"M3Net"}
    assert theirs <= set(BASELINES)
    assert set(BASELINES) == set(PARAMETERS) | {"MLSL-Net"}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_crop_gives_two_logits_and_a_gradient_back_to_every_voxels_slice(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, size=(56, 32, 32), narrow=True)
    x = torch.randn(2, 1, 56, 32, 32, requires_grad=True)
    logits = network(x)
    assert logits.shape == (2, 2)
    (logits[:, 1] - logits[:, 0]).sum().backward()
    assert x.grad is not None
    reached = x.grad.abs().sum((1, 3, 4)) > 0  # (2, 56)
    if name not in ("3D-CNN", "MVCS"):  # these drop what is left over when they halve 7 slices
        assert reached.all()
    assert reached[:, :48].all()


@pytest.mark.parametrize("side", [32, 48, 64, 80, 96])
@pytest.mark.parametrize("name", ["ResNet-18", "ConvNeXt-T"])
def test_table_2s_crop_sizes_can_be_built(name: str, side: int) -> None:
    with torch.no_grad():
        network = build(name, size=(56, side, side), narrow=True).eval()
        assert network(torch.randn(1, 1, 56, side, side)).shape == (1, 2)


def test_a_row_that_cannot_be_run_says_why() -> None:
    with pytest.raises(BaselineUnavailable, match="MLSL-Net: not run: its layers are described"):
        build("MLSL-Net")
    assert BASELINES["MLSL-Net"].parameters_m is None


def test_an_unknown_row_names_the_known() -> None:
    with pytest.raises(KeyError, match="no baseline 'ResNet-50'; there are ResNet-18, "):
        build("ResNet-50")
