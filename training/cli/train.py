"""`m3train stage1`, `stage2`, `few-shot`: one config, one run folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from m3net.errors import InferenceError, WeightsError
from training.data.errors import DataUnusable, SettingsUnusable
from training.learn.few_shot import few_shot
from training.learn.losses import NonFiniteLoss
from training.learn.settings import Budget, Settings, load_settings
from training.learn.stage1 import stage1
from training.learn.stage2 import stage2
from training.measure.evaluate import OneClass

Run = Callable[..., dict[str, Any]]
CONFIGS = Path(__file__).parents[1] / "configs"


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that all three have."""
    every = [
        click.option("--config", type=click.Path(path_type=Path), default=None, help=_CONFIG_HELP),
        click.option(
            "--set", "changes", multiple=True, metavar="SECTION.KEY=VALUE", help="May be repeated."
        ),
        click.option(
            "--init", "starts", multiple=True, metavar="[SCALE=]FILE", help="Weights to start from."
        ),
        click.option(
            "--out", "directory", type=click.Path(path_type=Path), required=True, help="Run folder."
        ),
        click.option("--resume", is_flag=True, help="Go on from the folder's last checkpoint."),
        click.option("--budget", type=click.Choice(get_args(Budget)), default="full"),
        click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object."),
    ]
    for option in reversed(every):
        command = option(command)
    return command


_CONFIG_HELP = (
    "A .toml, a run's config.json, or the name of one that ships: "
    f"{', '.join(sorted(path.stem for path in CONFIGS.glob('*.toml')))}."
)


@click.command("stage1")
@_options
def stage1_command(**options: Any) -> None:
    """Train each branch alone (Eq. 9), or a baseline."""
    _run(stage1, **options)


@click.command("stage2")
@_options
def stage2_command(**options: Any) -> None:
    """Train the fusion on the branches of stage 1 (Eq. 10)."""
    _run(stage2, **options)


@click.command("few-shot")
@_options
def few_shot_command(**options: Any) -> None:
    """Adapt trained weights to another centre's nodules, with replay (Sec. 4.3)."""
    _run(few_shot, **options)


def _run(
    run: Run,
    *,
    config: Path | None,
    changes: tuple[str, ...],
    starts: tuple[str, ...],
    directory: Path,
    resume: bool,
    budget: Budget,
    as_json: bool,
) -> None:
    try:
        settings = _settings(
            config,
            changes=changes,
            starts=starts,
            directory=directory,
            resume=resume,
            budget=budget,
        )
        summary = run(settings, directory, resume=resume)
    except (SettingsUnusable, DataUnusable) as error:
        raise click.UsageError(str(error)) from error
    except (WeightsError, InferenceError, NonFiniteLoss, OneClass) as error:
        raise click.ClickException(str(error)) from error
    _say(summary, directory, as_json=as_json)


def _settings(
    config: Path | None,
    *,
    changes: tuple[str, ...],
    starts: tuple[str, ...],
    directory: Path,
    resume: bool,
    budget: Budget,
) -> Settings:
    """What is asked for; a run that goes on needs nothing but its folder."""
    asked = config is not None or changes or starts or budget != "full"
    if resume and not asked and (own := directory / "config.json").exists():
        return load_settings(own)
    if config is not None and not config.exists() and (CONFIGS / f"{config}.toml").exists():
        config = CONFIGS / f"{config}.toml"
    if starts:
        changes = (*changes, f"run.init={json.dumps(list(starts))}")
    return load_settings(config, changes=changes, budget=budget)


def _say(summary: dict[str, Any], directory: Path, *, as_json: bool) -> None:
    """What came of it; the processes that have no summary say nothing."""
    if not summary.get("test"):
        return
    if as_json:
        click.echo(json.dumps(summary))
        return
    for output, report in summary["test"].items():
        low, high = report["auc_95"]
        click.echo(
            f"{output:>6}  AUC {report['auc']:.3f} ({low:.3f} to {high:.3f})  "
            f"accuracy {report['accuracy']:.3f}  {report['nodules']} nodules"
        )
    click.echo(f"written to {directory}")
