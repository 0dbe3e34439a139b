"""Orthanc: it takes every object of ours, and shows it on its own pages."""

import pytest

from tests.viewers.conftest import Seen, Studies, of_kind
from tests.viewers.kinds import CAPTURES, KINDS, REPORTS, each
from tests.viewers.studies import STUDIES, instance_id, series_id

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]


@each(tuple(KINDS), "Orthanc DIMSE", "stored")
def test_it_arrives_over_c_store(answered: Studies, kind: str) -> None:
    assert of_kind(answered, kind)


@each(tuple(KINDS), "Orthanc DICOMweb", "stored")
def test_the_same_objects_arrive_over_stow_rs(answered: Studies, kind: str) -> None:
    study, _ = KINDS[kind]
    sent = {str(one.SOPInstanceUID) for one in of_kind(answered, kind)}
    assert sent <= answered[study].by_web


@pytest.mark.parametrize("study", STUDIES)
def test_the_web_viewer_shows_the_ct(seen: Seen, study: str) -> None:
    ct = seen.studies[study].given.ct
    shown = images_of(seen, study, series_id(ct[0]))
    assert {one["id"] for one in shown} <= {f"{instance_id(image)}_0" for image in ct}
    assert len({one["id"] for one in shown}) == 12
    assert all(one["size"] == [ct[0].Columns, ct[0].Rows] for one in shown)


@each(CAPTURES, "Orthanc's viewer", "every frame")
def test_the_web_viewer_shows_every_frame_of_the_captures(seen: Seen, kind: str) -> None:
    captures = of_kind(seen.studies, kind)
    shown = images_of(seen, KINDS[kind][0], series_id(captures[0]))
    assert {one["id"] for one in shown} == {
        f"{instance_id(one)}_{frame}"
        for one in captures
        for frame in range(int(one.get("NumberOfFrames", 1)))
    }
    assert all(one["size"] == [captures[0].Columns, captures[0].Rows] for one in shown)


@each(REPORTS, "Orthanc's viewer", "its headline, among the tags")
def test_the_explorer_lists_the_reports_headline(seen: Seen, kind: str) -> None:
    (report,) = of_kind(seen.studies, kind)
    tags = tags_of(seen, KINDS[kind][0], instance_id(report))
    assert f"(CompletionFlagDescription): {report.CompletionFlagDescription}" in tags


@each(("Presentation state", "Key objects", "PDF"), "Orthanc's viewer", "its tags")
def test_the_explorer_lists_what_it_is(seen: Seen, kind: str) -> None:
    (companion,) = of_kind(seen.studies, kind)
    tags = tags_of(seen, KINDS[kind][0], instance_id(companion))
    assert f"(SeriesDescription): {companion.SeriesDescription}" in tags


def images_of(seen: Seen, study: str, series: str) -> list[dict]:
    """What the Web Viewer showed of one series."""
    images = seen.by("orthanc", study)["images"]
    (found,) = (one for one in images if one["series"] == series)
    return found["shown"]


def tags_of(seen: Seen, study: str, instance: str) -> str:
    """What the Explorer listed of one instance."""
    (found,) = (one for one in seen.by("orthanc", study)["tags"] if one["instance"] == instance)
    return str(found["text"])
