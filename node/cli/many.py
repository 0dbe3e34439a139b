"""What an operator does to many jobs or deliveries at once: choosing them, and hearing of each."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import click

_PLURALS = {"job": "jobs", "delivery": "deliveries", "fetch": "fetches"}


class _Named(Protocol):
    """A destination or a source of the configuration."""

    @property
    def name(self) -> str:
        """By which it is called."""
        ...


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


def require_known(
    noun: str, name: str | None, configured: Iterable[_Named], past: Collection[str] = ()
) -> None:
    """The name is one of a destination or source that is configured, or that work was for.

    noun : "destination" or "source"
    past : of work that there is, whatever is configured now

    Raises UsageError, with the names that there are.
    """
    known = list(dict.fromkeys([*(each.name for each in configured), *past]))
    if name is not None and name not in known:
        there = ", ".join(known) or "none"
        raise click.UsageError(f"no {noun} {name!r} is configured; there are: {there}")


def say_nothing_done(noun: str, number: int, *, verb: str, past: str) -> None:
    """What a dry run would have done, or that there is nothing to do.

    verb, past : "requeue", "requeued"
    """
    click.echo(f"{number} would be {past}" if number else f"no {noun} to {verb}")


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
