"""`m3node check`: is everything there that the node needs?"""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import config_option, console, json_option, loaded, show_json

if TYPE_CHECKING:
    from node.operator.findings import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@json_option
@config_option
def check(as_json: bool, config_path: Path | None) -> None:
    """Look at configuration, disk, database, model, receiver and every destination.

    Exit status 1 if something fails; warnings do not.
    """
    from node.app import reach
    from node.core.errors import ConfigError
    from node.operator.check import check_node, variables
    from node.operator.findings import Status, fail

    findings: list[Finding] = []
    try:
        config = loaded(config_path, warn=False)
    except ConfigError as error:
        findings = [fail("configuration", line) for line in str(error).splitlines()]
        said = {finding.says for finding in findings}
        findings += [each for each in variables(os.environ) if each.says not in said]
        if not as_json:
            for finding in findings:
                show_finding(finding)
    else:
        for finding in check_node(config, reach()):
            findings.append(finding)
            if not as_json:
                show_finding(finding)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    if any(finding.status is Status.FAIL for finding in findings):
        raise SystemExit(1)


def show_finding(finding: "Finding") -> None:
    """One line."""
    from rich.text import Text

    head = (f"{finding.status:5}", _COLOURS[finding.status])
    console().print(Text.assemble(head, f"{finding.what:22} {finding.says}"))
