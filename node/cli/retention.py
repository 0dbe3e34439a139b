"""`m3node retention`: what may leave the disk, beforehand and now."""

from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import (
    config_option,
    json_option,
    loaded,
    opened_store,
    person,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.config import RetentionConfig
    from node.keeping.retention import Planned


@click.group()
def retention() -> None:
    """What is freed from the disk, when and why (section [retention])."""


@retention.command("plan")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@config_option
def plan(limit: int, as_json: bool, config_path: Path | None) -> None:
    """Say what would be freed now, and how much; nothing is changed.

    The scheduler of a running node does it by itself, in this order.
    """
    from node.keeping.retention import plan as plan_of

    config = loaded(config_path)
    with opened_store(config) as store:
        planned = list(plan_of(store, config.retention, now=datetime.now(UTC)))
        stored = store.stored_bytes()
    freed = sum(each.files.size for each in planned)
    if as_json:
        show_json(
            {
                "stored_bytes": stored,
                "freed_bytes": freed,
                "above_watermark_bytes": _above(config.retention, stored - freed),
                "planned": [{**asdict(each.files), "because": each.because} for each in planned],
            }
        )
        return
    _show(list(islice(planned, limit)))
    if len(planned) > limit:
        click.echo(f"... and {len(planned) - limit} more (--limit)")
    click.echo(f"{_sum(planned)} would be freed of {stored / 1e9:.2f} GB stored")
    if hint := _hint(config.retention) or _kept(_above(config.retention, stored - freed)):
        click.echo(hint)


@retention.command("run")
@json_option
@config_option
def run(as_json: bool, config_path: Path | None) -> None:
    """Free now what `retention plan` says.

    Exit status 1 if the configuration frees nothing.
    """
    from node.app import open_spool
    from node.keeping.retention import run as run_now

    config = loaded(config_path)
    if hint := _hint(config.retention):
        raise click.ClickException(hint)
    with opened_store(config) as store:
        done = list(
            run_now(
                store,
                open_spool(config.storage),
                config.retention,
                by=person(),
                now=datetime.now(UTC),
            )
        )
        above = _above(config.retention, store.stored_bytes())
    if as_json:
        show_json([{**asdict(each.files), "because": each.because} for each in done])
        return
    _show(done)
    click.echo(f"{_sum(done)} freed")
    if hint := _kept(above):
        click.echo(hint)


def _show(planned: "Sequence[Planned]") -> None:
    if planned:
        show_table(
            ["study", "last arrival", "what", "files", "MB", "because"],
            [
                [
                    each.files.study_instance_uid,
                    each.files.last_arrival_at,
                    each.files.what,
                    each.files.files,
                    f"{each.files.size / 1e6:.1f}",
                    each.because,
                ]
                for each in planned
            ],
        )


def _sum(planned: "Sequence[Planned]") -> str:
    files = sum(each.files.files for each in planned)
    return f"{files} files, {sum(each.files.size for each in planned) / 1e9:.2f} GB,"


def _hint(config: "RetentionConfig") -> str:
    if config.keep == "forever":
        return 'nothing is freed: retention.keep = "forever"'
    if config.received_days is config.results_days is config.watermark_gb is None:
        return "nothing is freed: [retention] sets neither days nor watermark_gb"
    return ""


def _above(config: "RetentionConfig", stored: int) -> int:
    """So many bytes are more than the watermark; 0 where there is none."""
    watermark_gb = None if config.keep == "forever" else config.watermark_gb
    return 0 if watermark_gb is None else max(0, int(stored - watermark_gb * 1e9))


def _kept(above: int) -> str:
    if not above:
        return ""
    return (
        f"{above / 1e9:.2f} GB more than retention.watermark_gb stay, since nothing else may go: "
        "what waits, is analysed, or is not delivered is kept: m3node study list --state waiting, "
        "and m3node study list --deliveries dead"
    )
