"""A list as a page asks for it: what is searched, sorted and turned to stands in its address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from node.persistence.asked import Page

A_PAGE = 50
"""Rows of one page."""
_LONGEST_SEARCH = 64
_LAST_PAGE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStep:
    """One link between pages; without `href`, where one stands."""

    title: str
    href: str = ""
    rel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAsked:
    """What the address of a list says; what makes no sense in it counts as not said.

    path   : of the list, with the proxy's before it
    filters: the further filters by name, such as the state
    order  : what it is sorted by; `forwards`: the least first
    number : of the page, from 1
    """

    path: str
    search: str = field(repr=False)
    filters: Mapping[str, str]
    order: str
    forwards: bool
    number: int
    default_order: str

    @classmethod
    def of(
        cls,
        path: str,
        query: Mapping[str, str],
        *,
        filters: Mapping[str, Sequence[str]],
        orders: Sequence[str],
    ) -> "ListAsked":
        """Read from an address.

        filters : the values that each further filter may have
        orders  : what may be sorted by; the first if nothing is said
        """
        order = query.get("sort", "")
        number = query.get("page", "")
        return cls(
            path=path,
            search=query.get("q", "").replace("\0", "").strip()[:_LONGEST_SEARCH],
            filters={
                name: query.get(name, "") if query.get(name, "") in values else ""
                for name, values in filters.items()
            },
            order=order if order in orders else orders[0],
            forwards=query.get("dir", "") == "up",
            number=min(max(int(number), 1), _LAST_PAGE) if _is_whole(number) else 1,
            default_order=orders[0],
        )

    @property
    def offset(self) -> int:
        """Rows before its first."""
        return (self.number - 1) * A_PAGE

    def href(self, **other: object) -> str:
        """The address of the same list with something else asked for."""
        said: dict[str, object] = {
            "q": self.search,
            **self.filters,
            "sort": self.order,
            "dir": "up" if self.forwards else "",
            "page": self.number,
            **other,
        }
        unsaid = {"sort": self.default_order, "page": 1}
        query = urlencode(
            {name: value for name, value in said.items() if value and value != unsaid.get(name)}
        )
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list as a template shows it, and where its links lead."""

    asked: ListAsked
    number_of_rows: int
    total: int

    @classmethod
    def of(cls, asked: ListAsked, found: Page[Any]) -> "Listed":
        """What was found of what was asked for."""
        return cls(asked=asked, number_of_rows=len(found.rows), total=found.total)

    @property
    def search(self) -> str:
        """What was searched for."""
        return self.asked.search

    @property
    def state(self) -> str:
        """The state that was chosen, or nothing."""
        return self.asked.filters.get("state", "")

    @property
    def is_narrowed(self) -> bool:
        """Whether something is left out because of what was asked."""
        return bool(self.search or any(self.asked.filters.values()))

    @property
    def range(self) -> str:
        """ "51 to 100 of 10,432"."""
        if not self.total:
            return "none"
        if not self.number_of_rows:
            return f"nothing on this page; there are {self.total:,}"
        first = self.asked.offset + 1
        return f"{first:,} to {self.asked.offset + self.number_of_rows:,} of {self.total:,}"

    @property
    def steps(self) -> Sequence[PageStep]:
        """First, previous, here, next, last; without the ones that lead nowhere."""
        last = max(1, -(-self.total // A_PAGE))
        here = self.asked.number
        if last == here == 1:
            return ()
        steps = []
        if here > 1:
            steps = [
                PageStep(title="First", href=self.asked.href(page=1)),
                PageStep(title="Previous", href=self.asked.href(page=here - 1), rel="prev"),
            ]
        steps.append(PageStep(title=f"page {here:,} of {last:,}"))
        if here < last:
            steps += [
                PageStep(title="Next", href=self.asked.href(page=here + 1), rel="next"),
                PageStep(title="Last", href=self.asked.href(page=last)),
            ]
        return steps

    def order_of(self, key: str) -> str:
        """ "ascending" or "descending", or nothing if it is sorted by something else."""
        if self.asked.order != key:
            return ""
        return "ascending" if self.asked.forwards else "descending"

    def sorted_by(self, key: str) -> str:
        """The address that sorts by it; by what it is sorted by already, the other way round."""
        up = self.asked.order == key and not self.asked.forwards
        return self.asked.href(sort=key, dir="up" if up else "", page=1)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
