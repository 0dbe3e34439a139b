"""What an answer of a destination means, for C-STORE and STOW-RS alike."""

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.calling.http import read_headers
from node.core.errors import (
    ConfigError,
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
    VariantRejected,
)
from node.core.results import ArtifactKind
from node.outbound.comment import in_known_words
from node.outbound.destination import OutgoingObject, require_stored
from node.persistence.rows import SentObject

REPORT = OutgoingObject(
    sent=SentObject(
        kind=ArtifactKind.REPORT,
        sop_class_uid=SOPClassUID("1.2.840.10008.5.1.4.1.1.88.34"),
        sop_instance_uid=SOPInstanceUID("2.25.5"),
        series_instance_uid=SeriesInstanceUID("2.25.6"),
    ),
    transfer_syntax_uid=ExplicitVRLittleEndian,
    read=Dataset,
)


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007, 0x0111])
def test_success_warnings_and_duplicates_are_stored(status: int) -> None:
    require_stored(status, REPORT)


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0xA7FF, 0x0213])
def test_out_of_resources_is_tried_again(status: int) -> None:
    with pytest.raises(DestinationUnreachable, match=f"is out of resources: status {status:04X}"):
        require_stored(status, REPORT)


@pytest.mark.parametrize("status", [0xA900, 0xA9FF, 0xC000, 0x0106, 0x0117, 0x0120])
def test_what_is_plainly_about_the_object_is_for_a_person(status: int) -> None:
    with pytest.raises(DestinationRefused, match=f"refused 2.25.5: status {status:04X}") as caught:
        require_stored(status, REPORT)
    assert not isinstance(caught.value, VariantRejected)


@pytest.mark.parametrize(
    "status", [0x0110, 0x0112, 0x0124, 0x0210, 0x0211, 0xA800, 0xC001, 0xC123, 0xCFFF, 0xFE00]
)
def test_every_other_failure_is_often_passing_and_tried_again_slowly(status: int) -> None:
    with pytest.raises(DestinationNotReady, match=f"did not take 2.25.5: status {status:04X}"):
        require_stored(status, REPORT)


@pytest.mark.parametrize("status", [0x0001, 0x0107, 0x0116, 0xB001, 0xBFFF])
def test_a_warning_that_is_none_of_storage_leaves_open_whether_it_is_stored(status: int) -> None:
    with pytest.raises(DestinationNotReady, match=f"{status:04X}; whether it is stored is not"):
        require_stored(status, REPORT)


@pytest.mark.parametrize("status", [0x0118, 0x0122])
def test_a_class_that_is_not_supported_asks_for_another_variant(status: int) -> None:
    with pytest.raises(VariantRejected) as caught:
        require_stored(status, REPORT)
    assert caught.value.sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.34"


def test_what_the_destination_said_stands_in_the_reason() -> None:
    with pytest.raises(DestinationRefused, match=r"status C000 \(bad study date\)"):
        require_stored(0xC000, REPORT, said="bad study date")


@pytest.mark.parametrize(
    ("comment", "kept"),
    [
        ("no patient MÜLLER here", "no patient \N{HORIZONTAL ELLIPSIS}"),
        ("ID P-1234 unknown", "\N{HORIZONTAL ELLIPSIS} unknown"),
        ("19500101 differs", "\N{HORIZONTAL ELLIPSIS} differs"),
        (
            "study belongs to Doe^Jane (4711)",
            "study \N{HORIZONTAL ELLIPSIS} to \N{HORIZONTAL ELLIPSIS}",
        ),
        ("Duplicate SOP Instance UID 1.2.3", "Duplicate SOP Instance UID \N{HORIZONTAL ELLIPSIS}"),
        ("Unknown calling AE title", "Unknown calling AE \N{HORIZONTAL ELLIPSIS}"),
        ("disk full", "disk full"),
        (
            "no\x1b[2J room\r\nERROR\x9b2J \u2028 of me",
            "no \N{HORIZONTAL ELLIPSIS} room ERROR "
            "\N{HORIZONTAL ELLIPSIS} of \N{HORIZONTAL ELLIPSIS}",
        ),
        ("Schmidt", ""),
        ("", ""),
    ],
)
def test_of_a_comment_only_words_that_are_nobodys_name_are_kept(comment: str, kept: str) -> None:
    assert in_known_words(comment) == kept


def test_headers_are_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("# PACS\nAuthorization: Bearer a:b\n\nX-Tenant:  seven \n")
    assert read_headers(file) == {"Authorization": "Bearer a:b", "X-Tenant": "seven"}


def test_a_line_that_is_no_header_is_named_by_its_number_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("Accept: x\nsecret-token\n")
    with pytest.raises(ConfigError, match="line 2: expected 'Name: value'") as caught:
        read_headers(file)
    assert "secret-token" not in str(caught.value)


def test_a_headers_file_that_is_not_there_now_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(
        DestinationUnreachable, match="absent cannot be read: No such file or directory"
    ):
        read_headers(tmp_path / "absent")
