"""What the conformance statement says of QIDO-RS, by which stored objects are searched."""

from collections.abc import Iterator

from node.dicom.searchable import ATTRIBUTES, MOST_RESULTS, RESOURCES, Attribute, Level
from node.operator.markdown import table

_WORDS = {Level.STUDY: "study", Level.SERIES: "series", Level.INSTANCE: "instance"}


def qido_rs() -> list[str]:
    """The section."""
    resources = ", ".join(f"`{path}`" for path, _ in RESOURCES)
    return [
        "## QIDO-RS origin server (PS3.18 10.6)",
        "",
        f"Below `/dicom-web`: {resources}. Found are the current version of what was received, "
        "once it has been read (a second after it came), and the results in force; never a result "
        "that has been overtaken, nor one of this node that somebody sent back. While a newer "
        "analysis waits or runs the last report stands; once it has failed for good, its technical "
        "failure report stands alone.",
        "",
        *table(
            ("Level", "Attribute", "Tag", "Matched by", "Answered"),
            (tuple(_row(each)) for level in Level for each in _sorted(level)),
        ),
        "",
        "Answered unasked are the attributes of the resource's level, of a level above those that "
        "the path does not name, and the UIDs above. `includefield` takes tags and keywords, comma "
        "lists, repetitions and `all`. Attributes of a level below are not matched and not "
        "answered.",
        "",
        "Attributes are named by tag or keyword, those in a sequence by a dotted path. Lists are "
        "separated by commas or backslashes. Text is compared by character and case, names of "
        "persons without case and by any of their component groups; `*` and `?` are wild cards in "
        "both. Ranges of a date and its time together are one range. Parameters that nobody knows "
        "are ignored; attributes that are not matched are ignored and named in a Warning header, "
        "and so is `fuzzymatching=true`. What cannot be read is 400.",
        "",
        "Studies come newest first by date and time; all else by its UIDs, within a study by its "
        f"numbers. At most {MOST_RESULTS:,} results are answered at once, and a Warning header "
        "says that there are more; `limit` and `offset` page to the end. Nothing found is "
        "an empty list in JSON, since clients take 204 for a failure, and 204 in XML.",
        "",
        'Answers are application/dicom+json, or multipart/related; type="application/dicom+xml".',
        "",
    ]


def _sorted(level: Level) -> list[Attribute]:
    return sorted(ATTRIBUTES[level], key=lambda each: each.path)


def _row(each: Attribute) -> Iterator[str]:
    name = f"{each.inside} > {each.keyword}" if each.inside else each.keyword
    yield from (
        _WORDS[each.level],
        name,
        " > ".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in each.path),
        each.matching.value,
        "always" if each.always else "on request",
    )
