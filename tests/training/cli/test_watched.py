"""Long work says how far it is, whether or not a terminal watches."""

import io

from rich.console import Console

from training.cli.watched import Watched


def test_a_log_has_a_line_now_and_then_and_one_at_the_end() -> None:
    log, now = io.StringIO(), [0.0]
    console = Console(file=log, force_terminal=False)
    with Watched("nodules", console=console, clock=lambda: now[0]) as watched:
        watched.begin(100)
        for _ in range(100):
            now[0] += 1.0
            watched.advance()
    assert log.getvalue().splitlines() == [
        "nodules: 30 of 100",
        "nodules: 60 of 100",
        "nodules: 90 of 100",
        "nodules: 100 of 100",
    ]


def test_a_terminal_has_a_bar_and_the_line_at_the_end() -> None:
    log, now = io.StringIO(), [0.0]
    console = Console(file=log, force_terminal=True, width=80)
    with Watched("nodules", total=2, console=console, clock=lambda: now[0]) as watched:
        now[0] += 100.0
        watched.advance()
    assert "━" in log.getvalue()
    assert log.getvalue().splitlines()[-1].endswith("nodules: 1 of 2")
