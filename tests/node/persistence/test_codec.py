"""Rows that an earlier version wrote are read."""

import json
from dataclasses import replace

from m3net.uids import FrameKey, FrameReference, SOPInstanceUID
from node.persistence.codec import facts_from_row, facts_to_row
from tests.node.core.facts_of import ct_series, segmentation


def test_facts_are_read_as_they_were_written() -> None:
    for facts in (*ct_series(2), segmentation(drawn_on=["1.2.3.10.1"], refers_to=["1.2.3.10.0"])):
        assert facts_from_row(facts_to_row(facts)) == facts


def test_an_image_of_one_plane_as_it_was_written_before_frames_had_numbers() -> None:
    facts = ct_series(1)[0]
    written = json.loads(facts_to_row(facts)["facts"])
    written["plane"] = written.pop("planes")["1"]

    read = facts_from_row({**facts_to_row(facts), "facts": json.dumps(written)})

    assert read == facts
    assert read.frames() == (FrameKey(SOPInstanceUID("1.2.3.10.0"), 1),)


def test_references_as_they_were_written_before_they_named_frames() -> None:
    facts = segmentation(drawn_on=["1.2.3.10.1"])
    written = json.loads(facts_to_row(facts)["facts"])
    del written["references"]["marked"]
    written["references"]["marked_uids"] = ["1.2.3.10.1"]

    read = facts_from_row({**facts_to_row(facts), "facts": json.dumps(written)})

    assert read == facts
    assert read.references is not None
    assert read.references.marked == {FrameReference(SOPInstanceUID("1.2.3.10.1"))}


def test_a_multi_frame_ct_as_it_was_written_before_such_were_read() -> None:
    facts = replace(ct_series(1)[0], planes={}, kind="Enhanced CT")
    assert facts_from_row(facts_to_row(facts) | {"role": "unsupported_ct"}) == facts
