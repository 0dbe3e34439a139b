"""A report's tree as it is walked: in its order, through references, and never without end."""

import pytest
from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations import content_tree
from m3net.annotations.content_tree import ContentTree, concept, is_named
from m3net.errors import AnnotationUnusable

NODULE, SITE = Code("1", "99T", "Nodule"), Code("2", "99T", "Site")


def item(*children: Dataset, name: Code | None = None, to: list[int] | None = None) -> Dataset:
    dataset = Dataset()
    if children:
        dataset.ContentSequence = list(children)
    if to is not None:
        dataset.ReferencedContentItemIdentifier = to
    if name is not None:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = name.value, name.scheme_designator
        code.CodeMeaning = name.meaning
        dataset.ConceptNameCodeSequence = [code]
    return dataset


def chain(length: int) -> Dataset:
    found = item()
    for _ in range(length):
        found = item(found)
    return found


def test_an_item_comes_before_its_own_children_and_these_before_the_next() -> None:
    leaf, branch, last = item(), item(), item()
    branch.ContentSequence = [leaf]
    root = item(branch, last)
    found = list(ContentTree(root).below(root))
    assert [id(each) for each in found] == [id(branch), id(leaf), id(last)]


def test_a_reference_stands_for_what_it_names_counted_from_one() -> None:
    named, holder = item(name=NODULE), item(item(to=[1, 1, 2]), item())
    root = item(item(item(), named), holder)
    first, _ = ContentTree(root).children(holder)
    assert first is named
    direct = item(item(to=[1, 2]), named)
    assert ContentTree(direct).children(direct) == [named, named]


@pytest.mark.parametrize("to", [[1, 0], [1, 4], [1, 2, 1], [1, 1]])
def test_a_reference_that_leads_nowhere_is_left_out(to: list[int]) -> None:
    """[1, 0] and [1, 4] name no item, [1, 2, 1] a child of none, [1, 1] a reference."""
    root = item(item(to=to), item(name=SITE), item())
    assert len(ContentTree(root).children(root)) == 2


def test_the_last_of_the_items_may_be_named() -> None:
    root = item(item(to=[1, 3]), item(), item(name=SITE))
    assert ContentTree(root).children(root)[0] is root.ContentSequence[2]


def test_a_reference_to_what_is_above_is_not_entered_again() -> None:
    branch = item(item(to=[1, 1]))
    root = item(branch)
    assert list(ContentTree(root).below(root)) == [branch]


def test_a_tree_is_walked_to_its_thirty_second_level() -> None:
    root = chain(40)
    assert len(list(ContentTree(root).below(root))) == 32
    assert len(list(ContentTree(root).below(root, depth=1))) == 1
    assert list(ContentTree(root).below(root, depth=0)) == []


def test_so_many_items_are_walked_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert content_tree.MOST_ITEMS == 200_000
    monkeypatch.setattr(content_tree, "MOST_ITEMS", 3)
    assert len(list(ContentTree(item(item(), item(), item())).below(item(item(), item())))) == 2
    root = item(item(), item(), item())
    assert len(list(ContentTree(root).below(root))) == 3
    with pytest.raises(AnnotationUnusable, match="references make more than 3 content items"):
        list(ContentTree(root).below(item(item(), item(), item(), item())))
    walked_before = ContentTree(root)
    list(walked_before.below(root))
    with pytest.raises(AnnotationUnusable):
        list(walked_before.below(root))


def test_items_are_found_by_their_names() -> None:
    nodule, site, unnamed = item(name=NODULE), item(name=SITE), item()
    root = item(nodule, site, unnamed)
    tree = ContentTree(root)
    assert tree.named(root, SITE) == [site]
    assert tree.named(root, SITE, NODULE) == [nodule, site]
    assert (concept(nodule), concept(unnamed)) == (NODULE, None)
    assert not is_named(unnamed, NODULE)
