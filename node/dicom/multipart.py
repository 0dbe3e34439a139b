"""A multipart body taken apart as it comes (RFC 2046 5.1), in memory that no client decides about.

Lines may end in CR LF or, as sloppy clients have it, in LF alone.  How the line ends that opens a
part says which line end is part of the delimiter that closes it, since the last byte of an object
may be a CR.  The length that a part's header names is not needed, and not believed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from node.core.errors import NodeError

MOST_BOUNDARY = 200
"""Characters; RFC 2046 allows 70, and clients that join two UUIDs use more."""
MOST_HEADER = 8 << 10
"""Bytes of the header of one part."""
MOST_BETWEEN = 64 << 10
"""Bytes before the first part, and behind the last."""
_MOST_PADDING = 256
_LINE_END = re.compile(rb"[ \t]*(\r?\n)")
_PERHAPS = re.compile(rb"-|[ \t]*\r?")


class Broken(NodeError):
    """The body is no multipart body, or is cut off."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the multipart body is broken: {what}")


class TakesParts(Protocol):
    """Whoever is told of parts: one after the other."""

    def begin(self, header: Mapping[str, str]) -> None:
        """A part begins; the names in its header are in small letters."""
        ...

    def data(self, data: memoryview) -> None:
        """Its next bytes; the view is good until the call returns."""
        ...

    def end(self) -> None:
        """It is here whole."""
        ...


class _Delimiter(NamedTuple):
    """One that was found, from the LF before it to the end of its line."""

    start: int
    end: int
    is_last: bool
    with_cr: bool


class Body(Protocol):
    """A body, whichever way objects lie in it."""

    def feed(self, data: bytes) -> None:
        """Its next bytes."""
        ...

    def finish(self) -> None:
        """That was all.  Raises Broken if it was not."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing that comes is wanted any more."""
        ...


class OnePart:
    """A body that is one part, with no header; of an empty one nothing is told."""

    is_over = False

    def __init__(self, to: TakesParts) -> None:
        self._to = to
        self._begun = False

    def feed(self, data: bytes) -> None:
        """The next bytes are told of."""
        if data and not self._begun:
            self._begun = True
            self._to.begin({})
        if data:
            self._to.data(memoryview(data))

    def finish(self) -> None:
        """That was all."""
        if self._begun:
            self._to.end()


class Multipart:
    """One body: `feed` it, then `finish`."""

    def __init__(self, boundary: str, to: TakesParts) -> None:
        self._to = to
        self._dashes = b"--" + boundary.encode("latin-1")
        self._delimiter = b"\n" + self._dashes
        self._rest = b"\n"  # the first delimiter may stand at the very beginning
        self._content = 1  # where in the rest the content of a part begins
        self._undecided = 0  # from where the rest may be a delimiter of which more is to come
        self._with_cr = False
        self._step = self._before
        self._between = 0

    def feed(self, data: bytes) -> None:
        """The next bytes are told of, but for a few that may be part of a delimiter.

        Raises Broken.
        """
        self._rest += data
        while self._step():
            pass

    def finish(self) -> None:
        """That was all.  Raises Broken if the last delimiter did not come."""
        if self._step != self._after:
            raise Broken("its last boundary is missing: it was cut off, or names another boundary")

    @property
    def is_over(self) -> bool:
        """Whether all parts have come, and more behind them than anybody has to say."""
        return self._step == self._after and self._between > MOST_BETWEEN

    # -- steps; each says whether there may be a next one in what is here -----------------------

    def _before(self) -> bool:
        """Up to the first delimiter."""
        found = self._next_delimiter()
        self._between += found.start if found else self._undecided
        if self._between > MOST_BETWEEN:
            raise Broken("no part begins; the boundary is not the one that is named")
        return self._go_on(found)

    def _header(self) -> bool:
        """From the LF before a part's header to the LF of its empty line."""
        lines: list[bytes] = []
        at = 1
        while (end := self._rest.find(b"\n", at, MOST_HEADER)) >= 0:
            line = self._rest[at:end].rstrip(b"\r")
            if not line or line.startswith(self._dashes):
                # A delimiter may follow at once: the LF before it is kept for it.
                self._rest = self._rest[at - 1 if line else end :]
                self._content = 1
                self._to.begin(_read(lines))
                self._step = self._body
                return True
            lines.append(line)
            at = end + 1
        if len(self._rest) > MOST_HEADER:
            raise Broken("the header of a part has no end")
        return False

    def _body(self) -> bool:
        """Up to the delimiter behind a part."""
        found = self._next_delimiter()
        end = found.start if found else self._undecided
        if self._with_cr and end > self._content and self._rest[end - 1] == 0x0D:
            end -= 1
        if end > self._content:
            self._to.data(memoryview(self._rest)[self._content : end])
        if found:
            self._to.end()
        else:
            self._content = max(0, self._content - end)
            self._undecided = end
        return self._go_on(found)

    def _after(self) -> bool:
        """Behind the last delimiter, where nothing is kept."""
        self._between += len(self._rest)
        self._rest = b""
        return False

    def _go_on(self, found: _Delimiter | None) -> bool:
        if found is None:
            self._rest = self._rest[self._undecided :]
            return False
        self._rest = self._rest[found.end - 1 :]
        self._with_cr = found.with_cr
        self._step = self._after if found.is_last else self._header
        self._between = 0
        return True

    def _next_delimiter(self) -> _Delimiter | None:
        """The first that is here whole; where there is none, `_undecided` is known."""
        at = 0
        while (at := self._rest.find(self._delimiter, at)) >= 0:
            behind = at + len(self._delimiter)
            if self._rest.startswith(b"--", behind):
                return _Delimiter(at, behind + 2, True, self._with_cr)
            if line_end := _LINE_END.match(self._rest, behind):
                return _Delimiter(at, line_end.end(), False, line_end[1] == b"\r\n")
            padding = self._rest[behind : behind + _MOST_PADDING]
            if len(padding) < _MOST_PADDING and _PERHAPS.fullmatch(padding):
                self._undecided = at
                return None
            at = behind
        self._undecided = max(0, len(self._rest) - len(self._delimiter) + 1)
        return None


def _read(lines: Sequence[bytes]) -> Mapping[str, str]:
    """The header; a line that begins with a blank goes on with the one before it."""
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        text = line.decode("latin-1")
        if text[0] in " \t":
            if name:
                fields[name] += f" {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower()
        if not colon or not name:
            raise Broken("a line of a part's header is none")
        fields[name] = value.strip()
    return fields
