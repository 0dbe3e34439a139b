"""`m3train`: everything that training/README.md tells one to type.

Commands are imported when they are called: `m3train --help` needs no torch, nor do the processes
that prepare crops.
"""

from collections.abc import Mapping
from importlib import import_module

import click

COMMANDS = {
    "prepare": ("training.cli.prepare:prepare", "Put nodules and their crops on disk."),
    "stage1": ("training.cli.train:stage1_command", "Train each branch alone, or a baseline."),
    "stage2": ("training.cli.train:stage2_command", "Train the fusion on those branches."),
    "few-shot": ("training.cli.train:few_shot_command", "Adapt weights to another centre."),
    "default-weights": (
        "training.cli.default_weights:default_weights",
        "Make the weights that ship.",
    ),
    "card": ("training.cli.card:card_command", "Recompute the numbers of their card."),
    "export": ("training.cli.export:export_command", "Make weights for the node of runs."),
    "evaluate": ("training.cli.evaluate:evaluate", "Measure weights on a folder of nodules."),
    "compare": ("training.cli.compare:compare_command", "Compare runs on the same nodules."),
    "readers": ("training.cli.readers:readers_command", "Compare a model with its readers."),
    "maps": ("training.cli.maps:maps", "Measure where the network looked, and whether rightly."),
    "robustness": (
        "training.cli.robustness:robustness",
        "Measure how p moves with slices, kernel, dose and grid.",
    ),
    "synthetic": (
        "training.cli.synthetic:synthetic",
        "Ask about nodules that are known to the voxel.",
    ),
    "table": ("training.cli.table:table", "Run one of the paper's tables."),
    "figure": ("training.cli.figure:figure", "Draw a figure from runs."),
    "cost": ("training.cli.cost:cost", "Count parameters and multiply-accumulates."),
}
"""Name -> module and command, line of help; a command's module is imported when it is called."""


class LazyCommands(click.Group):
    """A group that knows of each command its module and its line of help."""

    def __init__(self, *, commands: Mapping[str, tuple[str, str]], **settings: object) -> None:
        """`commands`: name -> ("module:command", what it does)."""
        super().__init__(**settings)  # type: ignore[arg-type]  # because click hands them through
        self._known = commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order given."""
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now; None if there is none of this name."""
        if cmd_name not in self._known:
            return None
        module, _, attribute = self._known[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command), f"{module}:{attribute}"  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The lines of help, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._known.items()])


@click.group(
    cls=LazyCommands, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="m3node")
def main() -> None:
    """Prepare data, train M3Net, and measure it as the paper does and as is usual."""
