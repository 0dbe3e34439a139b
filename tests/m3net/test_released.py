"""The published network is matched to the letter: names, shapes, numbers."""

import pickle
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch

import m3net
from m3net.config import RELEASE
from m3net.errors import WeightsError
from m3net.fusion import SUFFIX
from m3net.network import M3Net, parameter_count
from m3net.released import branch_config, read_checkpoint, released_name
from m3net.scales import Scale

TOLERANCE = 1e-4

# the logits of the published network for the filling below, two samples each
GOLDEN = {
    Scale.MICRO: [
        [1.2381205558776855, -1.3670172691345215],
        [1.2006337642669678, -1.4904606342315674],
    ],
    Scale.MESO: [
        [-1.562299132347107, 0.08744834363460541],
        [-1.5429259538650513, 0.08190523087978363],
    ],
    Scale.MACRO: [
        [-0.29904845356941223, 0.5070347785949707],
        [-0.27417489886283875, 0.5130877494812012],
    ],
}
GOLDEN_FUSED = [[1.1231318712234497, 0.11176279932260513], [1.1285451650619507, 0.1265423595905304]]


def filled(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The stated filling: numbers drawn from the tensor's published name."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    x = np.random.default_rng(crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_var"):
        x = 0.5 + np.abs(x)
    elif name.endswith("running_mean"):
        x = 0.01 * x
    elif name.endswith("gamma"):
        x = 0.1 * (1 + 0.1 * x)
    elif len(shape) > 1:
        x = x * np.sqrt(1 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        x = 1 + 0.1 * x
    else:
        x = 0.01 * x
    return torch.from_numpy(np.asarray(x, dtype=np.float32))


def inputs() -> list[torch.Tensor]:
    return [
        torch.from_numpy(
            np.random.default_rng(crc32(f"input{side}".encode()))
            .random((2, 56, side, side))
            .astype(np.float32)
        ).unsqueeze(1)
        for side in (32, 64, 96)
    ]


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, torch.Tensor]:
    """What the authors' torch.save would hold: 736 tensors under their names."""
    with torch.device("meta"):
        shapes = {released_name(n): tuple(t.shape) for n, t in M3Net(RELEASE).state_dict().items()}
    return {name: filled(name, shape) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def network(checkpoint: dict[str, torch.Tensor]) -> M3Net:
    return m3net.from_released(checkpoint)


def test_a_checkpoint_has_the_736_published_tensors(checkpoint: dict[str, torch.Tensor]) -> None:
    assert len(checkpoint) == 736
    for name, shape in {
        "net32.stages.3.downsample.1.weight": (1024, 512, 2, 2),
        "net64.layer3.5.conv2.weight": (256, 256, 3, 3, 3),
        "net96.layer4.0.downsample.0.weight": (512, 256, 1, 1, 1),
        "proj96.weight": (128, 2),
        "transformer_fusion.layers.1.self_attn.in_proj_weight": (384, 128),
        "fc_head.3.weight": (2, 64),
    }.items():
        assert tuple(checkpoint[name].shape) == shape


def test_names_and_shapes_are_those_of_the_published_list(
    checkpoint: dict[str, torch.Tensor],
) -> None:
    listed = Path(__file__).parents[3] / "shared" / "paper" / "released_state_dict.tsv"
    if not listed.is_file():
        pytest.skip(f"the list of published tensors is not at {listed}")
    ours = {f"{n}\t{list(t.shape)}\t{str(t.dtype)[6:]}" for n, t in checkpoint.items()}
    assert ours == set(listed.read_text().splitlines())


def test_it_has_184_608_072_parameters(network: M3Net) -> None:
    assert parameter_count(network) == 184_608_072


@pytest.mark.parametrize(
    ("scale", "millions"), [(Scale.MICRO, 87.570), (Scale.MESO, 63.471), (Scale.MACRO, 33.161)]
)
def test_each_branch_has_the_size_of_table_7(network: M3Net, scale: Scale, millions: float) -> None:
    assert round(parameter_count(network.encoder(scale)) / 1e6, 3) == millions


def test_its_logits_are_the_published_networks(network: M3Net) -> None:
    with torch.no_grad():
        outputs = network.forward_all(*inputs())
    for scale, expected in GOLDEN.items():
        assert torch.allclose(
            outputs.branch_logits[scale], torch.tensor(expected), rtol=0, atol=TOLERANCE
        )
    assert torch.allclose(outputs.logits, torch.tensor(GOLDEN_FUSED), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("scale", list(Scale))
def test_a_branch_alone_loads_and_decides_alone(
    checkpoint: dict[str, torch.Tensor], scale: Scale
) -> None:
    prefix = f"net{SUFFIX[scale]}."
    alone = m3net.from_released(
        {n.removeprefix(prefix): t for n, t in checkpoint.items() if n.startswith(prefix)}
    )
    assert alone.config == branch_config(scale)
    with torch.no_grad():
        logits = alone(*inputs())
    assert torch.allclose(logits, torch.tensor(GOLDEN[scale]), rtol=0, atol=TOLERANCE)


def test_a_training_scripts_wrapping_is_taken_off(checkpoint: dict[str, torch.Tensor]) -> None:
    wrapped = {"epoch": 7, "state_dict": {f"module.{n}": t for n, t in checkpoint.items()}}
    assert parameter_count(m3net.from_released(wrapped)) == 184_608_072


def test_a_foreign_checkpoint_is_refused() -> None:
    with pytest.raises(WeightsError, match="neither the published M³Net nor one of its branches"):
        m3net.from_released({"encoder.weight": torch.zeros(3)})


def test_a_wrong_shape_is_named(checkpoint: dict[str, torch.Tensor]) -> None:
    with pytest.raises(WeightsError, match=r"proj96.weight is \(128, 3\), expected \(128, 2\)"):
        m3net.from_released({**checkpoint, "proj96.weight": torch.zeros(128, 3)})


def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Touch:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (ran,)

    path = tmp_path / "bad.pt"
    with path.open("wb") as file:
        pickle.dump({"net32.stem.conv.bias": Touch()}, file, protocol=2)
    with pytest.raises(WeightsError, match="cannot be read as tensors alone"):
        read_checkpoint(path)
    assert not ran.exists()
