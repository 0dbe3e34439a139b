"""`m3node health`: what is wrong, in words and as JSON, of a node that does not run."""

from pathlib import Path

from node.persistence.store import Store
from tests.node.cli.conftest import Cli, bury


def test_it_says_what_is_wrong_and_what_to_do(
    cli: Cli, store: Store, job: int, config_file: Path
) -> None:
    del job
    bury(store)
    with config_file.open("a") as file:
        file.write("min_free_gb = 1e9\n")
    said = cli("health", "--config", config_file)
    assert said.status == 1
    lines = said.out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "error   disk_low",
        "error   jobs_dead",
        "error   node_down",
        "error   receiver_silent",
    ]
    assert "less than storage.min_free_gb = 1e+09: every object that comes is refused" in lines[0]
    assert "1 job is dead and waits for a person: `m3node job list --state dead`" in lines[1]
    assert "start it with `m3node serve`" in lines[2]
    assert "4711" not in said.out
    as_json = cli("health", "--json", "--config", config_file).json()
    assert as_json["status"] == "error"
    assert [each["name"] for each in as_json["signs"]] == [
        line.split()[1].rstrip(":") for line in lines
    ]


def test_a_node_that_never_ran_has_no_database_and_gets_none(
    cli: Cli, config_file: Path, tmp_path: Path
) -> None:
    said = cli("health", "--config", config_file)
    assert said.status == 1
    assert "database_unreachable" in said.out
    assert not (tmp_path / "data").exists()


def test_nobody_to_tell_is_said(cli: Cli, config_file: Path) -> None:
    said = cli("alert", "test", "--config", config_file)
    assert said.status == 1
    assert said.err == "error: nobody is told: write [alerts.webhook] or [alerts.mail]\n"
