"""Walking the content tree of a structured report (PS3.3 C.17.3).

Our own walker, since it must read what others write: items given by reference, measurements that
carry their region, concepts coded in SRT or SCT.
"""

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.coding import first_code
from m3net.errors import AnnotationUnusable

DEEPEST = 32
"""No template is nested deeper than this."""
MOST_ITEMS = 200_000
"""Items met in all walks of one tree; references can make billions of a few dozen."""


def concept(item: Dataset) -> Code | None:
    """The item's concept name."""
    return first_code(item, "ConceptNameCodeSequence")


def is_named(item: Dataset, *names: Code) -> bool:
    """Whether the item has one of these concept names."""
    name = concept(item)
    return name is not None and name in names


class ContentTree:
    """A report's tree; items by reference are followed as if they stood in place."""

    def __init__(self, root: Dataset) -> None:
        self.root = root
        self._seen = 0

    def children(self, item: Dataset) -> list[Dataset]:
        """The item's children, references followed; one that leads nowhere is left out."""
        found = []
        for child in item.get("ContentSequence") or []:
            target = self._target(child) if "ReferencedContentItemIdentifier" in child else child
            if target is not None:
                found.append(target)
        return found

    def below(self, item: Dataset, *, depth: int = DEEPEST) -> Iterator[Dataset]:
        """Every item below this one, each before its own children.

        An item that a reference leads back to is not entered again on the way below itself.

        Raises AnnotationUnusable where references make the tree endless.
        """
        yield from self._below(item, depth=depth, above=frozenset({id(item)}))

    def _below(self, item: Dataset, *, depth: int, above: frozenset[int]) -> Iterator[Dataset]:
        if depth == 0:
            return
        for child in self.children(item):
            if id(child) in above:
                continue
            self._seen += 1
            if self._seen > MOST_ITEMS:
                raise AnnotationUnusable(
                    f"the report's references make more than {MOST_ITEMS:,} content items of it"
                )
            yield child
            yield from self._below(child, depth=depth - 1, above=above | {id(child)})

    def named(self, item: Dataset, *names: Code) -> list[Dataset]:
        """The direct children with one of these concept names."""
        return [child for child in self.children(item) if is_named(child, *names)]

    def _target(self, child: Dataset) -> Dataset | None:
        """The item that a Referenced Content Item Identifier (0040,DB73) names.

        It counts from 1; its first number is the root itself.
        """
        path = child.ReferencedContentItemIdentifier
        numbers = [int(path)] if isinstance(path, int) else [int(number) for number in path]
        item = self.root
        for number in numbers[1:]:
            items = item.get("ContentSequence") or []
            if not 1 <= number <= len(items):
                return None
            item = items[number - 1]
        return None if "ReferencedContentItemIdentifier" in item else item
