"""What is peculiar to one baseline."""

import pytest
import torch
from torch import nn

from training.baselines.cnn3d import CNN3D
from training.baselines.deeplung import DualPathBlock
from training.baselines.mvcs import BACK, VIEWS, ViewAttention
from training.baselines.naslung import AngularHead
from training.baselines.vit import Attention, SliceViT, ViTConfig, rotate, rotation


def test_a_dual_path_block_adds_to_one_part_and_appends_to_the_other() -> None:
    torch.manual_seed(0)
    block = DualPathBlock(width_in=10, bottleneck=4, residual=6, growth=2, groups=2, stride=0)
    x = torch.rand(2, 10, 3, 3, 3)
    y = block(x)
    assert y.shape == (2, 12, 3, 3, 3)  # 6 added to, 4 as they came, 2 new
    torch.testing.assert_close(y[:, 6:10], x[:, 6:])


def test_the_3d_cnn_is_padded_only_where_nothing_would_be_left() -> None:
    padding = {n: CNN3D((n, n, n), widths=(2, 2, 2, 2)).features[0].padding for n in (46, 45)}
    assert padding == {46: (0, 0, 0), 45: (1, 1, 1)}


def test_the_views_come_back_to_their_axes() -> None:
    x = torch.arange(2 * 3 * 4 * 5 * 6).view(2, 3, 4, 5, 6)
    for there, back in zip(VIEWS, BACK, strict=True):
        assert torch.equal(x.permute(there).permute(back), x)
    assert [x.permute(there).shape[1] for there in VIEWS] == [4, 5, 6]


def test_a_views_attention_follows_a_change_of_the_order_of_pixels() -> None:
    torch.manual_seed(0)
    attention = ViewAttention(4)
    x = torch.randn(1, 3, 4, 2, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(attention(x[..., order]), attention(x)[..., order])


def test_the_angular_head_gives_length_times_cosine() -> None:
    head = AngularHead(2)
    head.weight.data = torch.tensor([[3.0, 0.0], [0.0, 7.0]])
    torch.testing.assert_close(head(torch.tensor([[3.0, 4.0]])), torch.tensor([[3.0, 4.0]]))


def test_rotary_positions_leave_only_the_distance_between_two_places() -> None:
    torch.manual_seed(0)
    cosine, sine = rotation((4, 4), 16, skip=1)
    q, k = torch.randn(2, 16)
    scores = rotate(q.expand(17, 16), cosine, sine) @ rotate(k.expand(17, 16), cosine, sine).T
    places = scores[1:, 1:].view(4, 4, 4, 4)
    torch.testing.assert_close(places[0, 0, 1, 2], places[2, 1, 3, 3])
    assert not torch.isclose(places[0, 0, 1, 2], places[0, 0, 2, 1])
    torch.testing.assert_close(scores[0, 0], q @ k)  # the class token is not turned


def test_rotary_periods_are_dinov3s() -> None:
    cosine, sine = rotation((2, 2), 8, skip=0)
    # the first patch is centred on (-0.5, -0.5); periods 1 and 10
    expected = torch.tensor([-torch.pi, -torch.pi / 10] * 4)
    torch.testing.assert_close(cosine[0], expected.cos())
    torch.testing.assert_close(sine[0], expected.sin())


def test_the_order_of_the_slices_does_not_matter_to_a_slice_wise_network() -> None:
    torch.manual_seed(0)
    config = ViTConfig(patch=(8, 8), image=(16, 16), dim=16, depth=1, heads=2)
    network = SliceViT(config).eval()
    x = torch.randn(1, 1, 6, 20, 20)
    torch.testing.assert_close(network(x), network(x.flip(2)))


def test_an_image_of_broken_patches_is_refused() -> None:
    with pytest.raises(ValueError, match="must be whole patches"):
        ViTConfig(patch=(16, 16), image=(100, 100))
    with pytest.raises(ValueError, match="registers have no learnt place"):
        ViTConfig(patch=(16, 16), image=(32, 32), registers=4)


def test_attention_is_torchs_with_the_same_weights() -> None:
    torch.manual_seed(0)
    config = ViTConfig(patch=(8, 8), image=(16, 16), dim=16, depth=1, heads=4)
    ours, theirs = Attention(config), nn.MultiheadAttention(16, 4, batch_first=True)
    ours.qkv.load_state_dict({"weight": theirs.in_proj_weight, "bias": theirs.in_proj_bias})
    ours.proj.load_state_dict(theirs.out_proj.state_dict())
    x = torch.randn(2, 5, 16)
    torch.testing.assert_close(ours(x, None), theirs(x, x, x, need_weights=False)[0])
