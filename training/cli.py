"""`m3train`: everything that training/README.md tells one to type."""

import click

from training.lazy_commands import LazyCommands

COMMANDS = {
    "prepare": ("training.prepare_command:prepare", "Put nodules and their crops on disk."),
    "stage1": ("training.train_commands:stage1_command", "Train each branch alone, or a baseline."),
    "stage2": ("training.train_commands:stage2_command", "Train the fusion on those branches."),
    "few-shot": ("training.train_commands:few_shot_command", "Adapt weights to another centre."),
    "default-weights": ("training.default_command:default_weights", "Make the weights that ship."),
    "export": ("training.export_command:export_command", "Make weights for the node of runs."),
    "evaluate": ("training.evaluate_command:evaluate", "Measure weights on a folder of cut-outs."),
    "table": ("training.tables.table_command:table", "Run one of the paper's tables."),
    "figure": ("training.figures.figure_command:figure", "Draw a figure from runs."),
    "cost": ("training.cost_command:cost", "Count parameters and multiply-accumulates."),
}
"""Name -> module and command, line of help; a command's module is imported when it is called."""


@click.group(
    cls=LazyCommands, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="m3node")
def main() -> None:
    """Prepare data, train M3Net, and measure it as the paper does and as is usual."""
