"""The report as a document: the same facts, whose it is on every page, and the same bytes."""

import subprocess
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from sr_templates.band import Band
from sr_templates.findings import Location, Measurements, Outcome, ReportContent, Side
from sr_templates.pdf.document import build_encapsulated_pdf
from tests import validators
from tests.required import require_binary
from tests.sr_templates.examples import (
    ALGORITHM,
    FULL,
    OUTLINED,
    ROUND,
    SLICE,
    UNTRAINED,
    identity,
)
from tests.sr_templates.objects.test_secondary_capture import encoded

PICTURE = np.full((300, 400, 3), 40, dtype=np.uint8)
REVISION = "Revision 2 of 4 Mar 2026 05:06, replaces revision 1"


def built(content: ReportContent = FULL, **changes: object) -> Dataset:
    arguments = {
        "names": {},
        "pictures": {ROUND.tracking_uid: [PICTURE, PICTURE], OUTLINED.tracking_uid: [PICTURE]},
        "sources": [SLICE],
        "band": Band(low=0.35, high=0.65),
        "revision": REVISION,
        "subject": SLICE,
        "algorithm": ALGORITHM,
        "identity": identity(),
    }
    return build_encapsulated_pdf(content=content, **{**arguments, **changes})


def pages(dataset: Dataset, tmp_path: Path) -> list[str]:
    """The text of each page, as poppler finds it, in one line."""
    path = tmp_path / "report.pdf"
    path.write_bytes(dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength])
    program = require_binary("pdftotext", "poppler-utils")
    done = subprocess.run([str(program), path, "-"], capture_output=True, text=True, check=True)
    return [" ".join(page.split()) for page in done.stdout.split("\f")[:-1]]


@pytest.mark.peers
def test_it_says_what_the_report_says(tmp_path: Path) -> None:
    text = " ".join(pages(built(), tmp_path))
    for said in (
        FULL.headline,
        *(nodule.comment for nodule in FULL.nodules),
        "Nodule 3: its centre is outside the CT",
        *FULL.remarks,
        "M3Net small 0.1.0",
    ):
        assert said in text


@pytest.mark.peers
def test_what_is_said_stands_first_and_each_nodule_with_its_pictures_on_a_page(
    tmp_path: Path,
) -> None:
    """Two pictures of one fill a page; no picture stands under the name of another."""
    tall = np.zeros((900, 1200, 3), np.uint8)
    pictures = {each.tracking_uid: [tall, tall] for each in FULL.nodules}
    first, *others = pages(built(pictures=pictures), tmp_path)
    assert all(remark in first for remark in FULL.remarks)
    assert "M3Net small 0.1.0" in first
    assert len(others) == len(FULL.nodules)
    for page, nodule in zip(others, FULL.nodules, strict=True):
        assert nodule.comment in page


@pytest.mark.peers
def test_size_and_place_are_told_in_the_reports_words(tmp_path: Path) -> None:
    placed = replace(
        ROUND,
        measurements=Measurements(long_axis_mm=14.2, short_axis_mm=9.6),
        location=Location(side=Side.LEFT, series_number=4, image_number=43, images=133),
    )
    found = pages(built(replace(FULL, nodules=[placed, OUTLINED])), tmp_path)
    assert "left lung; Se 4, Im 43 / 133" in found[0]
    assert "14 x 10 mm, mean 12 mm" in found[0]


@pytest.mark.peers
def test_every_page_says_whose_it_is_and_which_revision(tmp_path: Path) -> None:
    content = replace(FULL, remarks=[f"Remark {number}." for number in range(150)])
    found = pages(built(content), tmp_path)
    assert len(found) > 3
    for number, page in enumerate(found, start=1):
        assert "Patient Phantom Small · ID SYN-1 · born 1950-01-01 · sex O" in page
        assert "accession A1" in page
        assert "For research use; not a cleared medical device." in page
        assert REVISION in page
        assert f"page {number} of {len(found)}" in page
    assert built(content).BurnedInAnnotation == "YES"


@pytest.mark.peers
def test_untrained_weights_are_warned_of_on_every_page(tmp_path: Path) -> None:
    nodules = [replace(nodule, call=None, comment="x") for nodule in FULL.nodules]
    content = replace(FULL, nodules=nodules)
    found = pages(built(content, algorithm=UNTRAINED, band=None), tmp_path)
    assert all("UNTRAINED, NOT A RESULT" in page for page in found)
    assert "87" not in " ".join(found)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("character_set", "name", "written"),
    [
        ("ISO_IR 192", "Müller^Hans", "Patient Müller Hans"),
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Patient Yamada Tarou"),
        ("ISO_IR 192", "山田^太郎", "Patient (in the DICOM header)"),
        ("ISO_IR 192", "=山田^太郎", "Patient (in the DICOM header)"),
        ("ISO_IR 192", "Nováková^Jiřina", "Patient (in the DICOM header)"),
        ("ISO_IR 192", "<b>Smith</b>^J&J", "Patient <b>Smith</b> J&J"),
        ("ISO_IR 192", "", "ID SYN-1"),
    ],
)
def test_a_name_is_written_exactly_or_not_at_all(
    character_set: str, name: str, written: str, tmp_path: Path
) -> None:
    subject = deepcopy(SLICE)
    subject.SpecificCharacterSet = character_set
    subject.PatientName = name
    dataset = built(subject=subject)
    assert str(dataset.PatientName) == name
    for page in pages(dataset, tmp_path):
        assert written in page


@pytest.mark.peers
def test_a_study_without_a_nodule_says_so(tmp_path: Path) -> None:
    content = ReportContent(
        outcome=Outcome.NOT_ANALYSED, headline="Not analysed: the CT was not received."
    )
    dataset = built(content, pictures={}, sources=[])
    (page,) = pages(dataset, tmp_path)
    assert "Not analysed: the CT was not received." in page
    assert "Probability" not in page


@pytest.mark.peers
def test_a_name_that_is_the_patients_is_not_a_nodules(tmp_path: Path) -> None:
    text = " ".join(pages(built(names={ROUND.tracking_uid: "Nodule X"}), tmp_path))
    assert "Nodule X" in text


def test_the_same_arguments_make_the_same_bytes() -> None:
    assert encoded(built()) == encoded(built())


def test_letters_that_the_fonts_lack_do_not_stop_it() -> None:
    content = replace(FULL, headline="≥ 2 結節 of 3 · ﬁ", remarks=["a\x00b\u2028c"])
    assert built(content).EncapsulatedDocumentLength > 1000


@pytest.mark.peers
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    for number, dataset in enumerate((built(), built(sources=[]))):
        path = tmp_path / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        assert validators.dciodvfy(path) == []
