"""What an operator does to many jobs or deliveries at once: choosing them, and hearing of each."""

from collections.abc import Callable, Collection, Iterable

import click

_PLURALS = {"job": "jobs", "delivery": "deliveries"}


def require_choice(noun: str, named: Collection[int], **options: object) -> None:
    """They are either named or chosen by one option at least.  Raises UsageError.

    noun : "job" or "delivery"
    """
    plural = _PLURALS[noun]
    chosen = any(options.values())
    if not named and not chosen:
        *others, last = (f"--{name}" for name in options)
        raise click.UsageError(f"name {plural}, or choose them with {', '.join(others)} or {last}")
    if named and chosen:
        raise click.UsageError(f"either name {plural} or choose them with options, not both")


def say_nothing_requeued(noun: str, number: int) -> None:
    """What a dry run would have done, or that there is nothing to do."""
    click.echo(f"{number} would be requeued" if number else f"no {noun} to requeue")


def for_each(noun: str, numbers: Iterable[int], act: Callable[[int], str], *, past: str) -> None:
    """Every one is acted on and its sentence said; exit status 1 if one could not be.

    act  : does it and says so; a NodeError of one does not keep the others from it
    past : "requeued"
    """
    from node.core.errors import NodeError

    failed = False
    for number in numbers:
        try:
            said = act(number)
        except NodeError as error:
            failed = True
            click.echo(f"{noun} {number} not {past}: {error}", err=True)
        else:
            click.echo(said)
    if failed:
        raise SystemExit(1)
