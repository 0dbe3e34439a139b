"""The rows of Tables 2 and 3 as one literal list: where from, how large, what departs."""

from collections.abc import Mapping

from training.baselines import make
from training.baselines.row import Baseline
from training.baselines.vit import ViTConfig

_SLICES = "each axial slice resampled to 224 x 224, in three equal channels"
_AVERAGED = (
    "Sec. 4.3 says that slice-level features are aggregated, not how: the class tokens are averaged"
)
_CHANNELS = (
    "The published stem reads the 56 slices as channels (1x1 after bilinear to 56 x 56), so that "
    "no ImageNet weight fits it"
)
_WHOLE = "the crop, one channel"

_ROWS = (
    Baseline(
        name="ResNet-18",
        paper="He et al. 2016, Deep residual learning for image recognition; in 3D",
        make=make.resnet((2, 2, 2, 2)),
        parameters=33_161_026,
        input=_WHOLE,
    ),
    Baseline(
        name="ResNet-34",
        paper="He et al. 2016, Deep residual learning for image recognition; in 3D",
        make=make.resnet((3, 4, 6, 3)),
        parameters=63_470_658,
        input=_WHOLE,
    ),
    Baseline(
        name="ConvNeXt-T",
        paper="Liu et al. 2022, A ConvNet for the 2020s",
        make=make.convnext((3, 3, 9, 3), 96),
        parameters=27_822_434,
        input="the slices as channels",
        weights="ImageNet, ConvNeXt-Tiny",
        departs=(_CHANNELS,),
    ),
    Baseline(
        name="ConvNeXt-B",
        paper="Liu et al. 2022, A ConvNet for the 2020s",
        make=make.convnext((3, 3, 27, 3), 128),
        parameters=87_569_538,
        input="the slices as channels",
        weights="ImageNet, ConvNeXt-Base",
        departs=(_CHANNELS,),
    ),
    Baseline(
        name="ConvNeXt-XL",
        paper="Liu et al. 2022, A ConvNet for the 2020s",
        make=make.convnext((3, 3, 27, 3), 256),
        parameters=348_154_114,
        input="the slices as channels",
        weights="ImageNet, ConvNeXt-XLarge",
        departs=(_CHANNELS,),
    ),
    Baseline(
        name="DeepLung",
        paper="Zhu et al. 2018, DeepLung: deep 3D dual path nets",
        make=make.deeplung,
        parameters=36_968_850,
        parameters_m_paper=36.968,
        input=_WHOLE,
        departs=(
            "DPN-92 with the third stage's growth of 24 that its authors published",
            "The last map is averaged whole, not over windows of 4: the same on 32-voxel cubes",
            "The gradient boosting on its features is not part of the row, as Table 7 counts it",
        ),
    ),
    Baseline(
        name="3D-CNN",
        paper="Zunair et al. 2020, Uniformizing techniques to process CT scans with 3D CNNs",
        make=make.cnn3d,
        parameters=1_745_602,
        input=_WHOLE,
        departs=(
            "10.658 M parameters on its paper's 64 x 128 x 128, of which 9.437 M behind the "
            "flattening; on smaller crops there is less to flatten",
            "Below 46 voxels along an axis the convolutions are padded: unpadded, nothing is left",
            "Resampling to a uniform volume, the paper's subject, has no place on equal crops",
        ),
    ),
    Baseline(
        name="NASLung",
        paper="Jiang et al. 2021, Learning efficient, explainable and discriminative "
        "representations for pulmonary nodules classification",
        make=make.naslung,
        parameters=28_456_204,
        parameters_m_paper=28.456,
        input=_WHOLE,
        departs=(
            "The one network of Table 7's size (its authors' training default), not their ensemble "
            "of searched networks (16.84 M)",
            "Trained with cross-entropy like every row: A-Softmax's margin (m = 4) is left out",
        ),
    ),
    Baseline(
        name="MVCS",
        paper="Zhu et al. 2022, Multi-view coupled self-attention network",
        make=make.mvcs,
        parameters=98_987_330,
        parameters_m_paper=98.987,
        input=_WHOLE,
        departs=(
            "The views' outputs return to the axes that they came from; in the published code the "
            "axial view's channels and slices change places",
            "Table 7's 48.202 GMACs are those of 98,304 voxels (32 x 32 x 96, or three 32-voxel "
            "cubes), not of 32 x 32 x 56",
        ),
    ),
    Baseline(
        name="MLSL-Net",
        paper="Yi et al. 2022, Multi-label softmax networks for pulmonary nodule classification",
        make=None,
        parameters=None,
        input="",
        status=(
            "not run: its layers are described only in a paper that is not open, no code of it was "
            "found, and what its open abstract describes, a loss over several labels, is cross-"
            "entropy for the one label here"
        ),
    ),
    Baseline(
        name="ViT-B",
        paper="Dosovitskiy et al. 2021, An image is worth 16x16 words",
        make=make.vit("slices", ViTConfig(patch=(16, 16), image=(224, 224))),
        parameters=85_800_194,
        input=_SLICES,
        weights="ImageNet, ViT-B/16 (timm's or torchvision's names)",
        departs=(
            _AVERAGED,
            "The paper cites Wu et al. 2020 (Visual Transformers) for this row; the name is "
            "Dosovitskiy's",
        ),
    ),
    Baseline(
        name="DINOv2",
        paper="Oquab et al. 2023, DINOv2: learning robust visual features without supervision",
        make=make.vit("slices", ViTConfig(patch=(14, 14), image=(224, 224), layer_scale=1e-5)),
        parameters=85_726_466,
        input=_SLICES,
        weights="DINOv2 ViT-B/14 (timm's names or Facebook's)",
        departs=(_AVERAGED, "The paper names no size; ViT-B like its neighbours"),
    ),
    Baseline(
        name="DINOv3",
        paper="Siméoni et al. 2025, DINOv3",
        make=make.vit(
            "slices",
            ViTConfig(
                patch=(16, 16),
                image=(224, 224),
                registers=4,
                positions="rotary",
                layer_scale=1e-5,
                eps=1e-5,
            ),
        ),
        parameters=85_670_402,
        parameters_m_paper=85.904,
        input=_SLICES,
        weights="DINOv3 ViT-B/16 (gated: DINOv3 licence)",
        departs=(
            _AVERAGED,
            "85.670 M parameters against Table 7's 85.904 M: what the other 0.234 M are, its text "
            "does not say",
            "Table 7's 539.150 GMACs are within 0.005 % of 32 slices of 224 x 224 through a "
            "ViT-B/16 without registers (16.8477 each); the crops have 56 axial slices",
        ),
    ),
    Baseline(
        name="M3D-LaMed",
        paper="Bai et al. 2024, M3D: advancing 3D medical image analysis; its encoder M3D-CLIP",
        make=make.vit(
            "volume",
            ViTConfig(
                patch=(4, 16, 16),
                image=(32, 256, 256),
                channels=1,
                positions="patches",
                qkv_bias=False,
                pretrained_grid=(8, 16, 16),
            ),
        ),
        parameters=87_390_722,
        input="the crop resampled to 32 x 256 x 256, as the encoder was pre-trained",
        weights="M3D-CLIP (MONAI's names)",
        departs=(
            "The encoder and a linear layer; the language model has no part in a probability",
        ),
    ),
    Baseline(
        name="3DINO-ViT",
        paper="Xu et al. 2025, A generalizable 3D framework for self-supervised learning",
        make=make.vit(
            "volume",
            ViTConfig(
                patch=(16, 16, 16),
                image=(112, 112, 112),
                dim=1024,
                depth=24,
                heads=16,
                channels=1,
                layer_scale=1e-5,
            ),
        ),
        parameters=306_911_234,
        input="the crop resampled to 112 x 112 x 112, as the encoder was last pre-trained",
        weights="3DINO-ViT (gated: CC BY-NC-ND 4.0)",
        departs=("The class token and a linear layer; its ViT-adapter is for segmentation",),
    ),
)

BASELINES: Mapping[str, Baseline] = {row.name: row for row in _ROWS}
"""By the names that Tables 2 and 3 use."""
