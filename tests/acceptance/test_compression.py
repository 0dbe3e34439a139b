"""How the pixels travelled makes no difference to what is said about them."""

import pytest
from pydicom import Dataset, dcmread

from node.demo.annotations import segmentation
from node.demo.reading import read_report
from tests.acceptance import studies
from tests.acceptance.bed import Bed
from tests.peers import dcmtk

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]

_PROPOSE = {
    "uncompressed": ("-R",),
    "JPEG lossless": ("-R", "-xs"),
    "JPEG-LS": ("-R", "-xt"),
    "JPEG 2000": ("-R", "-xv"),
    "RLE": ("-R", "-xr"),
}
"""What storescu must be told to propose."""


def test_the_same_study_compressed_has_the_same_probabilities(node: Bed, tmp_path):
    sent = {}
    for name, options in _PROPOSE.items():
        phantom = studies.phantom(name.replace(" ", "-"))
        node.send([_encoded(ds, name, tmp_path) for ds in phantom.ct], options=options)
        node.send([segmentation(phantom, [studies.NODULE])])
        sent[name] = studies.study_uid(phantom)
    found = {
        name: [n.probability for n in read_report(node.wait_for_reports(uid)[0], {}).nodules]
        for name, uid in sent.items()
    }
    assert len(found["uncompressed"]) == 1
    assert 0 < found["uncompressed"][0] < 1
    assert found == dict.fromkeys(_PROPOSE, found["uncompressed"])


def test_the_same_slices_in_another_transfer_syntax_make_no_new_report(node: Bed):
    phantom = studies.phantom("recoded")
    study = studies.marked(phantom)
    node.analyse(study)
    rle = [studies.compressed(ds, studies.COMPRESSIONS["RLE"]) for ds in phantom.ct]
    node.send(rle, options=("-R", "-xr"))
    shown = node.settle(studies.study_uid(phantom))
    assert len(shown["job_list"]) == 1


def _encoded(dataset: Dataset, name: str, folder) -> Dataset:
    if name == "uncompressed":
        return dataset
    if name in studies.COMPRESSIONS:
        return studies.compressed(dataset, studies.COMPRESSIONS[name])
    plain, packed = folder / "plain.dcm", folder / "packed.dcm"
    dataset.save_as(plain, enforce_file_format=True)
    dcmtk("dcmcjpeg", "+e1", plain, packed)
    return dcmread(packed)
