"""The command as a whole: fast to start, polite when misused."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.node.cli.conftest import Cli


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom node.cli import main\nmain(['--help'])\n"
        "heavy = {'torch', 'pynetdicom', 'pydicom', 'sqlalchemy', 'numpy', 'pydantic', 'rich'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ingest" in done.stdout


def test_every_process_of_the_node_loads_what_it_uses_and_no_more() -> None:
    """One after the other in one process, whoever needs least first."""
    script = """
import sys
from importlib import import_module

NEVER_BUT_IN_THE_WORKER = {"torch", "SimpleITK", "reportlab", "alembic", "matplotlib", "pandas"}

def loads(modules, unneeded):
    for module in modules.split():
        import_module(module)
    found = (NEVER_BUT_IN_THE_WORKER | unneeded) & set(sys.modules)
    if found:
        sys.exit(f"{modules}: {found}")

little = {"pynetdicom", "highdicom", "scipy", "starlette", "apscheduler", "jinja2", "rich"}
loads("node.cli.serve node.app node.operator.people node.process.supervisor", little)
loads("node.cli.study node.listed.studies", little)
loads("node.inbound.dimse.receiver node.inbound.intake", little)
loads("node.watch.watcher node.watch.telling", little - {"apscheduler"})
loads("node.pull.puller", little - {"apscheduler", "pynetdicom"})
loads("node.outbound.deliverer", {"scipy", "starlette", "jinja2", "rich"})
loads("node.web.application node.web.server node.watch.look", {"scipy", "rich"})
loads("node.work.scheduler node.work.planner node.inbound.reading node.keeping.retention", {"rich"})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_version_is_told(cli: Cli) -> None:
    said = cli("--version")
    assert (said.status, said.out) == (0, "m3node 0.1.0\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["job", "requeue"],
        ["job", "requeue", "1", "--state", "dead"],
        ["job", "show", "seventeen"],
        ["job", "list", "--since", "yesterday-ish"],
        ["delivery", "requeue"],
        ["study", "list", "--limit", "0"],
        ["ingest", "no-such-folder"],
    ],
)
def test_misuse_is_status_2(cli: Cli, arguments: list[str]) -> None:
    assert cli(*arguments).status == 2


VERBS = [
    ["serve"],
    ["check"],
    ["ingest", "."],
    ["study", "list"],
    ["study", "show", "1.2"],
    ["job", "list"],
    ["job", "show", "1"],
    ["job", "requeue", "1"],
    ["job", "cancel", "1"],
    ["delivery", "list"],
    ["delivery", "requeue", "1"],
    ["why", "1.2"],
    ["echo", "pacs"],
    ["model", "show"],
    ["model", "verify"],
    ["health"],
    ["alert", "test"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_takes_the_configuration_and_says_in_one_line_that_it_is_missing(
    cli: Cli, verb: list[str]
) -> None:
    said = cli(*verb, "--config", "absent.toml")
    assert said.status == 1
    lines = (said.err + said.out).splitlines()
    assert len(lines) == 1
    assert "no configuration at absent.toml; make one with `m3node init DIR`" in lines[0]


def test_the_variable_names_the_configuration(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M3NODE_CONFIG", "elsewhere.toml")
    assert "no configuration at elsewhere.toml" in cli("job", "list").err


def test_a_list_of_a_node_that_never_ran_makes_no_database(
    cli: Cli, config_file: Path, tmp_path: Path
) -> None:
    said = cli("job", "list", "--config", config_file)
    assert said.status == 1
    assert "no database at" in said.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01", "99999999999d"])
def test_a_time_that_is_none_is_a_misuse(cli: Cli, when: str) -> None:
    said = cli("job", "list", "--since", when)
    assert said.status == 2
    assert f"'{when}' is neither an age (90m, 12h, 3d) nor an ISO time" in said.err


def test_an_unforeseen_error_is_one_line_without_a_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("could not read Müller^Hans")

    monkeypatch.setattr("node.config.find_config", fails)
    said = cli("job", "list")
    assert said.status == 1
    assert said.err.startswith("error: unexpected ValueError at test_main.py:")
    assert "Müller" not in said.err
    assert len(said.err.splitlines()) == 1


def test_init_makes_a_folder_that_serves_at_once(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", "here").status == 0
    tree = tomllib.loads((tmp_path / "here" / "node.toml").read_text())
    assert (tree["receiver"]["host"], tree["receiver"]["port"]) == ("127.0.0.1", 11112)
    assert tree["receiver"]["ae_title"] == "M3NODE"
    assert tree["storage"]["directory"] == "data"


def test_init_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("mine")
    said = cli("init", tmp_path)
    assert said.status == 1
    assert "stays as it is" in said.err
    assert (tmp_path / "node.toml").read_text() == "mine"
