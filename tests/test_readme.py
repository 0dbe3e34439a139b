"""The README's tree is the tree."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("node", "m3net", "sr_templates", "training")
OWN_FILES = {"m3net/default_weights"}
"""Folders that hold no code."""


def test_the_tree_names_every_room_and_no_other() -> None:
    assert set(rooms_told()) == set(rooms_there())


def test_a_file_that_the_tree_names_is_there() -> None:
    for room, words in lines_of_the_tree():
        outside = re.sub(r" ?\([^()]*\)|`[^`]*`", "", words)
        for name in re.findall(r"(?:^|[,;:] )([a-z][a-z_0-9]*)(?=[,;]|$)", outside):
            there = ROOT / room / f"{name}.py", ROOT / room / "dimse" / f"{name}.py"
            folder = ROOT / room / name
            assert folder.is_dir() or any(path.is_file() for path in there), f"{room}: {name}"


def tree() -> list[str]:
    """The lines of the block that begins with `node/`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```\n(node/ .*?)```", text, re.DOTALL)
    return block.splitlines()


def lines_of_the_tree() -> Iterator[tuple[str, str]]:
    """(folder, what stands behind it) of every line that names one folder, and what follows it."""
    package, room = "", ""
    for line in tree():
        if named := re.match(r"([a-z_0-9]+)/ +(.*)", line):
            package = room = named[1]
            yield room, named[2]
        elif named := re.match(r"  ([a-z_0-9]+)/ {2,}(?![a-z_0-9]+/)(.*)", line):
            room = f"{package}/{named[1]}"
            yield room, named[2]


def rooms_told() -> Iterator[str]:
    """Every folder of a package that the tree names."""
    package = ""
    for line in tree():
        if named := re.match(r"([a-z_0-9]+)/", line):
            package = named[1]
        elif package in PACKAGES and re.match(r"  [a-z_0-9]+/", line):
            for name in re.findall(r"(?:^| {2})([a-z_0-9]+)/", line):
                yield f"{package}/{name}"


def rooms_there() -> Iterator[str]:
    """Every folder of a package that git would take along."""
    for package in PACKAGES:
        for path in (ROOT / package).iterdir():
            name = f"{package}/{path.name}"
            if path.name == "__pycache__":
                continue
            if path.is_dir() and any(path.glob("*.[pt]*")) and name not in OWN_FILES:
                yield name
