"""The manual: its links lead somewhere, nothing is fetched while one reads, its commands exist."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from m3net.model_files import load_card
from node.cli import cli
from node.operator.model_card import card_in_words

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))


def test_the_site_is_built_with_every_link_good_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    pages = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")]
    assert len(pages) >= 10
    loaded = [each for page in pages for each in re.findall(r"<(?:script|link|img)\b[^>]*>", page)]
    assert loaded
    assert not [each for each in loaded if re.search(r"(?:src|href)=\"(?:https?:)?//", each)]


def test_the_model_card_is_that_of_the_shipped_weights() -> None:
    committed = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert committed == card_in_words(load_card("default")), (
        "run: python -m node.operator.model_card > docs/model-card.md"
    )


def typed() -> Iterator[str]:
    """Each call of `m3node` in a code block, without its comment."""
    for page in PAGES:
        for block in re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            for line in block.splitlines():
                if line.startswith("m3node "):
                    yield re.split(r"  +|#", line)[0].strip()


@pytest.mark.parametrize("call", sorted(set(typed())))
def test_a_command_that_the_manual_shows_is_there(call: str) -> None:
    context = click.Context(cli)
    command: click.Command = cli
    for word in call.replace(" | ", "|").split()[1:]:
        if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z|-]+", word):
            break
        found = [command.get_command(context, name) for name in word.split("|")]
        assert all(found), f"{command.name} has no {word}"
        (command,) = [each for each in found[:1] if each is not None]
    for option in re.findall(r"--[a-z-]+", call):
        assert any(option in parameter.opts for parameter in command.params), option
