"""The maps are those of the whole graph, lie where the evidence is, and leave no trace."""

import pytest
import torch

from m3net.config import RELEASE, SMALL
from m3net.gradcam import MALIGNANT, class_activation, explain, gathered, scaled, spread
from m3net.network import M3Net, build
from m3net.scales import Scale
from tests.m3net.toys import learn, narrow, noise


def patches_of(network: M3Net, *, batch: int, seed: int) -> dict[Scale, torch.Tensor]:
    return dict(zip(Scale, noise(network.config, batch=batch, seed=seed), strict=True))


@pytest.mark.parametrize("name", ["release", "paper", "small"])
def test_the_cut_graph_gives_the_maps_of_the_whole_graph(name: str) -> None:
    network = build(narrow(name), seed=1).eval()
    patches = patches_of(network, batch=2, seed=2)
    explained = explain(network, patches)

    leaves = {s: x.clone().requires_grad_() for s, x in patches.items()}
    activations = network.lower(leaves)
    for activation in activations.values():
        activation.retain_grad()
    outputs = network.upper(activations)
    outputs.logits[:, MALIGNANT].sum().backward()
    assert torch.allclose(explained.outputs.logits, outputs.logits, rtol=0, atol=1e-5)
    for scale, activation in activations.items():
        cam = class_activation(activation.detach(), activation.grad, network.config.cam)
        size = network.config.branch(scale).patch.size
        whole = spread(cam, network.encoder(scale).target_axes, size)
        assert torch.allclose(explained.maps[scale], whole, rtol=1e-4, atol=1e-7)
        assert scaled(whole).amax((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0])


def test_nothing_of_the_call_remains() -> None:
    network = build(narrow("small"), seed=1).eval()
    explained = explain(network, patches_of(network, batch=1, seed=3))
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    assert all(p.grad is None for p in network.parameters())
    assert explained.outputs.logits.grad_fn is None
    assert all(m.grad_fn is None for m in explained.maps.values())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_callers_grad_mode_does_not_matter(mode: type[torch.no_grad]) -> None:
    network = build(narrow("small"), seed=1).eval()
    patches = patches_of(network, batch=1, seed=4)
    expected = explain(network, patches)
    with mode():
        found = explain(network, patches)
    for scale in Scale:
        assert torch.equal(found.maps[scale], expected.maps[scale])


def test_a_trained_networks_map_peaks_on_the_signal() -> None:
    network = build(narrow("small"), seed=1)
    learn(network, scale=Scale.MACRO, steps=100, seed=2)
    patches = patches_of(network, batch=4, seed=5)
    patches[Scale.MACRO][:, 0, 2:6, 2:6, 2:6] += 3.0
    maps = explain(network.eval(), patches).maps[Scale.MACRO]
    near = maps[:, :, :8, :8].mean()
    far = maps[:, :, 8:, 8:].mean()
    assert near > 2 * far


def test_a_map_without_any_gradient_is_zero() -> None:
    network = build(narrow("small"), seed=1).eval()
    torch.nn.init.zeros_(network.get_parameter("fusion.head.3.weight"))
    maps = explain(network, patches_of(network, batch=1, seed=6)).maps
    for cam in maps.values():
        assert (cam == 0).all()


def test_a_score_that_does_not_depend_on_a_branch_gives_a_map_of_zeros() -> None:
    assert (class_activation(torch.rand(1, 4, 2, 2, 2), None, "gradcam") == 0).all()


def test_grad_cam_spreads_a_channels_weight_and_hirescam_keeps_it_in_its_place() -> None:
    """One channel is lit everywhere; the decision asks for it at the last place alone."""
    activation = torch.ones(1, 1, 1, 1, 4)
    gradient = torch.tensor([0.0, 0.0, 0.0, 4.0]).reshape(1, 1, 1, 1, 4)
    assert class_activation(activation, gradient, "gradcam").flatten().tolist() == [1, 1, 1, 1]
    assert class_activation(activation, gradient, "hirescam").flatten().tolist() == [0, 0, 0, 4]


def test_an_element_counts_by_the_share_of_its_surroundings_that_was_shown() -> None:
    axes = ((1.0, 0.0), (1.0, 0.0), (4.0, 0.0))
    shown = torch.zeros(1, 1, 1, 16)
    shown[..., 6:] = 1
    share = gathered(shown, axes, (1, 1, 4))[0, 0, 0]
    assert share[0] == 0
    assert share[1] == pytest.approx(3 / 16)  # voxels 6 and 7 of 1 to 7: (2/4 + 1/4) / 4
    assert share[2:].tolist() == pytest.approx([15 / 16, 1.0])


def test_no_heat_leaks_out_of_padding() -> None:
    network = build(narrow("small"), seed=1).eval()
    patches = patches_of(network, batch=1, seed=8)
    valid = {scale: torch.ones_like(x[:, 0]) for scale, x in patches.items()}
    valid[Scale.MACRO][..., 8:] = 0
    everywhere = explain(network, patches).maps[Scale.MACRO]
    shown = explain(network, patches, valid=valid).maps[Scale.MACRO]
    assert everywhere[..., 12:].max() > 0
    assert shown[..., 12:].max() == 0
    assert torch.equal(shown[..., :5], everywhere[..., :5])


def test_an_element_is_drawn_on_the_voxel_that_it_is_centred_on() -> None:
    cam = torch.zeros(1, 1, 1, 4)
    cam[0, 0, 0, 1] = 1.0
    line = spread(cam, ((1.0, 0.0), (1.0, 0.0), (4.0, 0.0)), (1, 1, 16))[0, 0, 0]
    assert line.tolist() == [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25] + [0] * 8


def test_a_map_without_depth_is_the_same_on_every_slice() -> None:
    network = build(narrow("release"), seed=1).eval()
    maps = explain(network, patches_of(network, batch=1, seed=7)).maps
    assert torch.equal(maps[Scale.MICRO][0, 0], maps[Scale.MICRO][0, 5])
    assert not network.encoder(Scale.MICRO).has_depth
    assert network.encoder(Scale.MESO).has_depth


def test_elements_stand_where_their_receptive_fields_are_centred() -> None:
    """A voxel's influence on an element, seen through linear layers, is centred on the axis map."""
    network = build(narrow("small"), seed=1)
    encoder = network.encoder(Scale.MACRO)
    x = torch.zeros(1, 3, 8, 16, 16, requires_grad=True)
    encoder.layer1, encoder.layer2 = torch.nn.Identity(), torch.nn.Identity()
    torch.nn.init.ones_(encoder.conv1.weight)
    encoder.conv1(x)[0, 0, 3, 5, 6].backward()
    assert x.grad is not None
    seen = torch.nonzero(x.grad[0, 0]).float().mean(0)
    assert seen.tolist() == [3.0, 5.0, 6.0]


def test_release_looks_one_stage_before_the_last_and_small_after_the_first() -> None:
    with torch.device("meta"):
        network = M3Net(RELEASE)
        below = network.lower({s: torch.empty(1, 1, *RELEASE.branch(s).patch.size) for s in Scale})
    assert {s: tuple(a.shape[2:]) for s, a in below.items()} == {
        Scale.MICRO: (1, 14, 14),
        Scale.MESO: (7, 4, 4),
        Scale.MACRO: (7, 6, 6),
    }
    assert network.encoder(Scale.MESO).target_axes == ((8.0, 0.0), (16.0, 0.0), (16.0, 0.0))
    with torch.device("meta"):
        network = M3Net(SMALL)
        below = network.lower({s: torch.empty(1, 3, *SMALL.branch(s).patch.size) for s in Scale})
    assert [tuple(a.shape[2:]) for a in below.values()] == [
        (16, 16, 16),
        (12, 12, 12),
        (10, 10, 10),
    ]
    assert network.encoder(Scale.MICRO).target_axes == ((2.0, 0.0),) * 3
