"""Table 7 counted again."""

import json

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from m3net.config import RELEASE
from m3net.network import M3Net
from training.baselines import build
from training.cli.cost import cost as command
from training.measure.costs import SMALLEST, TABLE_7, TRUE_M3NET, cost, cost_row


def release() -> nn.Module:
    return M3Net(RELEASE)


def test_the_published_network_on_three_small_inputs_costs_what_table_7_says() -> None:
    counted = cost(release, (SMALLEST,) * 3)
    assert counted.parameters == 184_608_072
    assert counted.as_printed / 1e9 == pytest.approx(20.0794, abs=1e-4)
    assert counted.macs / 1e9 == pytest.approx(20.064, abs=1e-3)


def test_on_its_true_inputs_it_costs_twice_as_much() -> None:
    assert cost(release, TRUE_M3NET).as_printed / 1e9 == pytest.approx(42.92, abs=5e-3)


@pytest.mark.parametrize(
    ("name", "gmacs"), [("NASLung", 10.6666), ("DeepLung", 45.3169), ("MVCS", 48.2005)]
)
def test_the_convolutional_baselines_cost_what_table_7_says(name: str, gmacs: float) -> None:
    printed = TABLE_7[name]
    (size,) = printed.evident
    counted = cost(lambda: build(name, size=size), printed.evident).as_printed / 1e9
    assert counted == pytest.approx(gmacs, abs=1e-4)
    assert printed.times * counted == pytest.approx(printed.gflops, rel=1e-4)


def test_a_vit_over_32_slices_costs_what_table_7_says_of_dinov3() -> None:
    counted = cost(lambda: build("ViT-B"), ((32, 32, 32),)).as_printed / 1e9
    assert counted == pytest.approx(TABLE_7["DINOv3"].gflops, rel=5e-5)


def test_multiply_accumulates_are_counted_as_one() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.Flatten(), nn.Linear(24, 5))

    counted = cost(make, ((2, 2, 2),))
    assert counted.macs == counted.as_printed == 27 * 3 * 8 + 24 * 5
    assert counted.parameters == 27 * 3 + 3 + 24 * 5 + 5


def test_counting_leaves_the_random_state_alone_and_holds_no_memory() -> None:
    state = torch.random.get_rng_state()
    row = cost_row("3D-CNN")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (row.small.parameters, row.true.parameters) == (2_794_178, 1_745_602)


def test_the_command_prints_one_json_list() -> None:
    result = CliRunner().invoke(command, ["--model", "NASLung", "--json"])
    (row,) = json.loads(result.output)
    assert row["true"]["parameters"] == 28_456_204
    assert row["printed"]["gflops"] == 21.335


def test_the_command_refuses_a_model_that_it_does_not_know() -> None:
    result = CliRunner().invoke(command, ["--model", "MLSL-Net"])
    assert result.exit_code == 2
    assert "no such model: MLSL-Net" in result.output
