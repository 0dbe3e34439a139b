"""Codes as objects hold them: read, weighed and spoken."""

from collections.abc import Iterator

import pytest
from pydicom import Dataset
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.coding import Code

from m3net.annotations.coding import (
    Sort,
    decisive_finding,
    decisive_site,
    first_code,
    is_typed,
    listed_codes,
    read_code,
    sort_of,
    spoken,
)
from m3net.annotations.meaning import Meaning, Said, meaning_of
from tests.encodings import item

NODULE = Code("27925004", "SCT", "Nodule")
LESION = Code("52988006", "SCT", "Lesion")
LUNG = Code("39607008", "SCT", "Lung")
LIVER = Code("10200004", "SCT", "Liver")
TISSUE = Code("85756007", "SCT", "Tissue")


def test_a_code_is_read_from_whichever_value_it_has() -> None:
    rest = {"CodingSchemeDesignator": "SCT", "CodeMeaning": "Nodule"}
    assert read_code(item(CodeValue="27925004", **rest)) == NODULE
    assert read_code(item(LongCodeValue="27925004", **rest)) == NODULE
    assert read_code(item(URNCodeValue="27925004", **rest)) == NODULE
    assert read_code(item(**rest)) is None
    assert read_code(None) is None
    bare = read_code(item(CodeValue="1"))
    assert (bare.scheme_designator, bare.meaning) == ("", "")


def test_the_first_item_of_a_code_sequence_counts() -> None:
    def sequence(*values: str) -> Dataset:
        return item(ConceptCodeSequence=[item(CodeValue=value) for value in values])

    first = first_code(sequence("1", "2"), "ConceptCodeSequence")
    assert first is not None
    assert first.value == "1"
    assert first_code(sequence(), "ConceptCodeSequence") is None
    assert first_code(Dataset(), "ConceptCodeSequence") is None


@pytest.mark.parametrize(
    ("code", "typed"),
    [
        (NODULE, False),
        (Code("1", "radlex", "x"), False),
        (Code("1", "99LOCAL", "x"), True),
        (Code("CORNERSTONEFREETEXT", "SCT", "x"), True),
        (Code("FREETXT", "SCT", "x"), True),
    ],
)
def test_a_meaning_may_be_somebodys_own_words_unless_its_scheme_is_public(
    code: Code, typed: bool
) -> None:
    assert is_typed(code) is typed


@pytest.mark.parametrize(
    ("code", "sort"),
    [
        (NODULE, Sort.NODULE),
        (Code("M-03010", "SRT", "x"), Sort.NODULE),
        (LESION, Sort.LESION),
        (TISSUE, Sort.GENERIC),
        (LUNG, Sort.LUNG),
        (LIVER, Sort.OTHER),
        (Code("7195", "FMA", "x"), Sort.LUNG),
        (Code("FMA7195", "FMA", "x"), Sort.LUNG),
        (Code("FMA:7195", "fma", "x"), Sort.LUNG),
        # by the words of the meaning
        (Code("1", "SCT", "Nodule of something"), Sort.NODULE),
        (Code("1", "SCT", "Lesion"), Sort.LESION),
        (Code("1", "SCT", "Apex of lung"), Sort.LUNG),
        (Code("1", "SCT", "Pleural effusion"), Sort.OTHER),
        (Code("1", "SCT", "left"), Sort.GENERIC),
        (Code("1", "SCT", "Gremlin"), Sort.OTHER),
        (Code("1", "99LOCAL", "Gremlin"), Sort.GENERIC),
    ],
)
def test_a_code_is_of_a_sort_by_the_table_else_by_its_words(code: Code, sort: Sort) -> None:
    assert sort_of(code) is sort


def test_every_listed_code_is_of_the_sort_that_lists_it() -> None:
    for sort in Sort:
        assert listed_codes(sort)
        assert {sort_of(code) for code in listed_codes(sort)} == {sort}
    assert listed_codes(Sort.NODULE)[0] == NODULE, "the table's first row"


def test_of_several_findings_the_one_that_says_most_decides() -> None:
    order = [TISSUE, LESION, LUNG, LIVER, NODULE]
    for count in range(1, 6):
        assert decisive_finding(order[:count]) == order[count - 1]
        assert decisive_finding(order[:count][::-1]) == order[count - 1]
    assert decisive_finding([]) is None


def test_of_several_sites_the_one_outside_of_the_lung_decides() -> None:
    apex = Code("1", "SCT", "Apex of lung")
    assert decisive_site([LUNG, LIVER]) == LIVER
    assert decisive_site([apex, LUNG]) == apex
    assert decisive_site([]) is None


def test_a_code_is_spoken_by_its_meaning_and_typed_words_by_the_table() -> None:
    assert spoken(Code("1", "SCT", " Lymph \n node ")) == "Lymph node"
    assert spoken(Code("1", "99LOCAL", "aorta of Mrs Smith")) == "aorta"
    assert spoken(Code("1", "99LOCAL", "Mrs Smith")) == "something else"
    assert spoken(Code("1", "SCT", "")) == "something else"


@pytest.mark.parametrize(
    ("value", "scheme", "sort"),
    [
        ("M-03010", "SNM3", Sort.NODULE),
        ("M-03010", "99SDM", Sort.NODULE),
        ("27925004", "SNOMED-CT", Sort.NODULE),
        ("RID3875", "RadLex", Sort.NODULE),
        ("T-28000", "SNM3", Sort.LUNG),
        ("7195", "fma", Sort.LUNG),
    ],
)
def test_a_scheme_by_another_of_its_names_is_the_same(value: str, scheme: str, sort: Sort) -> None:
    code = read_code(item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning="?"))
    assert code is not None
    assert sort_of(code) is sort
    assert not is_typed(code)


def of_context_group(*numbers: int) -> Iterator[Code]:
    """The codes of these context groups of PS3.16."""
    for number in numbers:
        for scheme, names in cid_concepts[number].items():
            for name in names:
                for value, (meaning, *_) in concepts[scheme][name].items():
                    yield Code(value, scheme, meaning)


def test_where_within_an_organ_is_no_site_of_its_own() -> None:
    """Laterality (CID 244) and General Chest Location (CID 6125), as CAD devices give them."""
    for code in of_context_group(244, 6125):
        assert decisive_site([code]) is None, code.meaning
        assert decisive_site([code, LIVER, LUNG]) == LIVER
    for code in of_context_group(6126, 6127, 6170, 6171):
        assert sort_of(code) is Sort.LUNG, code.meaning


def test_of_chest_findings_only_those_of_one_place_are_nodules() -> None:
    """CID 6101 to 6106: what a chest CAD report can find."""
    read = {code.meaning for code in of_context_group(*range(6101, 6107)) if _is_nodule(code)}
    assert read == {
        "Abnormal opacity",
        "Coin lesion",
        "Density",
        "Ground glass opacity",
        "Mass",
        "Micronodule",
        "Nodule",
        "Opacity",
    }


def _is_nodule(code: Code) -> bool:
    return meaning_of(Said(kind=code)).meaning is Meaning.NODULE


def test_a_metastasis_of_any_bone_vertebra_muscle_or_organ_is_none_of_the_lung() -> None:
    """CID 4030, 6114 to 6116, 7602, 10044, and the regions of CT."""
    whole = {"Chest", "Hand", "Head", "Neck and Chest", "Phantom"}
    told = {"Aortic arch", "Sternal angle", "Suprasternal notch", "Subscapular Fossa"}  # beside it
    told |= {"Vertebral Intervertebral Notch", "Transverse process or vertebra"}
    told |= {"Transversus thoracis"}
    read = {
        code.meaning
        for code in of_context_group(4030, 6114, 6115, 6116, 7602, 10044)
        if sort_of(code) is not Sort.LUNG
        and meaning_of(Said(texts=(f"{code.meaning} metastasis",))).meaning is Meaning.NODULE
    }
    assert read <= whole | told
