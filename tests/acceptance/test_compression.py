"""How the pixels travelled makes no difference to what is said about them."""

import pytest
from pydicom import Dataset, dcmread

from node.demo.annotations import segmentation
from tests.acceptance import studies
from tests.acceptance.bed import Bed
from tests.peers import dcmtk

pytestmark = [pytest.mark.acceptance, pytest.mark.peers]

_PROPOSE = {"JPEG-LS": "-xt", "JPEG 2000": "-xv", "RLE": "-xr", "JPEG lossless": "-xs"}


def test_the_same_study_compressed_has_the_same_probabilities(node: Bed, tmp_path):
    plain = studies.phantom("plain")
    expected = _probabilities(node.analyse(studies.marked(plain)))
    found = {}
    for name, option in _PROPOSE.items():
        phantom = studies.phantom(name.replace(" ", "-"))
        seg = segmentation(phantom, [studies.NODULE])
        ct = [_encoded(ds, name, tmp_path) for ds in phantom.ct]
        node.send(ct, options=("-R", option))
        found[name] = _probabilities(node.analyse([seg]))
    assert found == dict.fromkeys(_PROPOSE, expected)


def test_the_same_slices_in_another_transfer_syntax_make_no_new_report(node: Bed):
    phantom = studies.phantom("recoded")
    study = studies.marked(phantom)
    node.analyse(study)
    rle = [studies.compressed(ds, studies.COMPRESSIONS["RLE"]) for ds in phantom.ct]
    node.send(rle, options=("-R", "-xr"))
    shown = node.settle(studies.study_uid(phantom))
    assert len(shown["job_list"]) == 1


def _encoded(dataset: Dataset, name: str, folder) -> Dataset:
    if name in studies.COMPRESSIONS:
        return studies.compressed(dataset, studies.COMPRESSIONS[name])
    plain, packed = folder / "plain.dcm", folder / "packed.dcm"
    dataset.save_as(plain, enforce_file_format=True)
    dcmtk("dcmcjpeg", "+e1", plain, packed)
    return dcmread(packed)


def _probabilities(report) -> dict[str, float | None]:
    return {nodule.tracking_id: nodule.probability for nodule in report.nodules}
