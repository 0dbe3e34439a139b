"""Whatever training/README.md tells one to type is understood, option by option."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

import training
from training.cli import COMMANDS, main
from training.learn.settings import load_settings

HERE = Path(training.__file__).parent
MARK = re.compile(r"\b(?:m3train|-m training) (?=[a-z])")


def _commands() -> list[str]:
    """Each command of the code blocks, its continued lines joined, without its comment."""
    blocks = re.findall(r"^```\n(.*?)^```", (HERE / "README.md").read_text(), re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line[found.end() :] for line in lines if (found := MARK.search(line))]


def _parsed(typed: str) -> tuple[click.Command, dict[str, Any]]:
    name, *arguments = shlex.split(typed.partition(";")[0], comments=True)
    context = click.Context(main)
    command = main.get_command(context, name)
    assert command is not None, f"there is no command {name}"
    inner = click.Context(command, info_name=name)
    values, rest, _ = command.make_parser(inner).parse_args(arguments)
    assert not rest
    return command, values


@pytest.mark.parametrize("typed", _commands())
def test_its_commands_are_understood(typed: str) -> None:
    command, values = _parsed(typed)
    for parameter in command.params:
        assert parameter.name is not None
        value = values.get(parameter.name)
        assert value is not None or not parameter.required, f"{parameter.name} is missing"
        if value is not None and isinstance(parameter.type, click.Choice | click.IntRange):
            for each in value if isinstance(value, list) else [value]:
                if not str(each).startswith("$"):
                    parameter.type.convert(each, parameter, None)
    if "config" in values:
        config = HERE / "configs" / f"{values['config']}.toml"
        load_settings(config, changes=values.get("changes") or ())


def test_it_shows_every_command() -> None:
    assert {typed.split()[0] for typed in _commands()} | {"cost"} == set(COMMANDS)


def test_the_settings_and_files_that_its_text_names_exist() -> None:
    text = (HERE / "README.md").read_text()
    for change in re.findall(r"\b((?:run|data|network|loss|stage2|few_shot)\.\w+=\w+)", text):
        load_settings(None, changes=[change])
    for path in re.findall(r"`((?:training|tests)/[\w/]+\.\w+)`", text):
        assert (HERE.parent / path).is_file(), path
