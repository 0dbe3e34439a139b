"""`m3train`: everything that training/README.md tells one to type."""

import click

from training.cli.lazy_commands import LazyCommands

COMMANDS = {
    "prepare": ("training.cli.prepare:prepare", "Put nodules and their crops on disk."),
    "stage1": ("training.cli.train:stage1_command", "Train each branch alone, or a baseline."),
    "stage2": ("training.cli.train:stage2_command", "Train the fusion on those branches."),
    "few-shot": ("training.cli.train:few_shot_command", "Adapt weights to another centre."),
    "default-weights": (
        "training.cli.default_weights:default_weights",
        "Make the weights that ship.",
    ),
    "export": ("training.cli.export:export_command", "Make weights for the node of runs."),
    "evaluate": ("training.cli.evaluate:evaluate", "Measure weights on a folder of cut-outs."),
    "table": ("training.cli.table:table", "Run one of the paper's tables."),
    "figure": ("training.cli.figure:figure", "Draw a figure from runs."),
    "cost": ("training.cli.cost:cost", "Count parameters and multiply-accumulates."),
}
"""Name -> module and command, line of help; a command's module is imported when it is called."""


@click.group(
    cls=LazyCommands, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="m3node")
def main() -> None:
    """Prepare data, train M3Net, and measure it as the paper does and as is usual."""
