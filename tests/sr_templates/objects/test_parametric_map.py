"""A heat map as numbers lies where the patch lay, with the values that it had."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset

from sr_templates.objects.parametric_map import HeatVolume, build_parametric_map
from tests import validators
from tests.sr_templates.examples import ALGORITHM, CT, SLICE, UNTRAINED, identity
from tests.sr_templates.objects.test_secondary_capture import encoded

AFFINE = np.array([[0, 0, 0.7, 10], [0, 0.8, 0, 20], [2.0, 0, 0, -30], [0, 0, 0, 1.0]])
HEAT = HeatVolume(
    name="Nodule 1",
    scale="meso",
    method="HiResCAM",
    values=np.random.default_rng(0).random((6, 8, 10), dtype=np.float32),
    affine=AFFINE,
    frame_of_reference_uid=str(SLICE.FrameOfReferenceUID),
    has_depth=True,
)


def built(heat: HeatVolume = HEAT, **changes: object) -> Dataset:
    arguments = {
        "sources": CT[:3],
        "subject": SLICE,
        "algorithm": ALGORITHM,
        "identity": identity(),
    }
    return build_parametric_map(heat, **{**arguments, **changes})


def _rotated() -> np.ndarray:
    """A patch of a tilted CT, its slices descending."""
    angle = np.deg2rad(20)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = AFFINE.copy()
    affine[:3, :3] = turn @ affine[:3, :3] @ np.diag([-1, 1, 1])
    return affine


@pytest.mark.parametrize("affine", [AFFINE, _rotated()], ids=["axial", "tilted, descending"])
def test_every_value_stands_at_its_place(affine: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "map.dcm"
    built(replace(HEAT, affine=affine)).save_as(path, enforce_file_format=True)
    volume = hd.imread(path).get_volume(apply_real_world_transform=True)
    points = np.array([(k, j, i, 1) for k in (0, 5) for j in (0, 7) for i in (0, 9)]).T
    at_mm = affine @ points
    index = np.rint(np.linalg.inv(volume.affine) @ at_mm).astype(int)
    assert np.allclose(volume.affine @ index, at_mm, atol=1e-3)
    assert np.allclose(volume.array[tuple(index[:3])], HEAT.values[tuple(points[:3])])
    assert np.isclose(volume.array.sum(), HEAT.values.sum())


def test_the_quantity_is_coded_and_the_cts_frame_is_named() -> None:
    dataset = built()
    (mapping,) = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    (quantity,) = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeValue == "130403"
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert dataset.FrameOfReferenceUID == SLICE.FrameOfReferenceUID
    assert "FloatPixelData" in dataset
    (series,) = dataset.ReferencedSeriesSequence
    referenced = [item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence]
    assert referenced == [ct.SOPInstanceUID for ct in CT[:3]]


def test_what_it_is_stands_in_words() -> None:
    assert built().ImageComments == (
        "Nodule 1, HiResCAM at scale meso. For research use; not a cleared medical device"
    )
    flat = built(replace(HEAT, has_depth=False), algorithm=UNTRAINED)
    assert flat.ImageComments.startswith(
        "UNTRAINED, NOT A RESULT: Nodule 1, HiResCAM at scale meso, the same on every plane."
    )
    (mapping,) = flat.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.LUTLabel == "UNTRAINED"


def test_what_was_not_shown_is_no_heat() -> None:
    values = HEAT.values.copy()
    values[0] = np.nan
    dataset = built(replace(HEAT, values=values))
    kept = np.frombuffer(dataset.FloatPixelData, dtype="<f4")
    assert not np.isnan(kept).any()


def test_identity_is_copied_as_in_every_object_of_ours() -> None:
    named = deepcopy(SLICE)
    named.SpecificCharacterSet = "ISO_IR 192"
    named.PatientName = "山田^太郎"
    dataset = built(subject=named)
    assert (dataset.SpecificCharacterSet, str(dataset.PatientName)) == ("ISO_IR 192", "山田^太郎")
    assert dataset.AccessionNumber == SLICE.AccessionNumber
    assert dataset.SeriesInstanceUID == identity().series_instance_uid


def test_the_same_arguments_make_the_same_bytes() -> None:
    assert encoded(built()) == encoded(built())


@pytest.mark.peers
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    for number, dataset in enumerate((built(), built(algorithm=UNTRAINED))):
        path = tmp_path / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        assert validators.dciodvfy(path) == []
