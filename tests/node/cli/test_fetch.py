"""`m3node fetch`: what is asked for, and what cannot be."""

from pathlib import Path

from node.app import open_database
from node.config import load_config
from tests.node.cli.conftest import Cli
from tests.node.pull import bench, web_pacs
from tests.node.pull.bench import CT, STUDY, Pacs
from tests.node.pull.web_pacs import WebPacs


def configured(config_file: Path, dimse_port: int, web_port: int) -> None:
    with config_file.open("a") as file:
        file.write(
            f'[[sources]]\nname = "PACS"\nkind = "dimse"\nhost = "127.0.0.1"\nport = {dimse_port}\n'
            'ae_title = "PACS"\n[[sources]]\nname = "WEB"\nkind = "dicomweb"\n'
            f'url = "http://127.0.0.1:{web_port}/dicom-web"\n'
        )


def test_a_study_is_asked_for_by_its_uid_or_accession_number(cli: Cli, config_file: Path) -> None:
    open_database(load_config(config_file, {}).database).close()
    with bench.running(Pacs(holds=CT)) as pacs, web_pacs.running(WebPacs(holds=CT)) as web:
        configured(config_file, pacs.port, web.port)
        asked = cli("fetch", "--accession", "A1", "--json", "--config", config_file)
        assert asked.json() == [{"fetch": 1, "study_instance_uid": STUDY, "source": "PACS"}]
        again = cli("fetch", "--study", STUDY, "--source", "WEB", "--config", config_file)
        assert again.status == 1
        assert "this study is being fetched already" in again.err
        unknown = cli("fetch", "--accession", "A2", "--source", "WEB", "--config", config_file)
        assert unknown.status == 1
        assert "WEB holds no study of that accession number" in unknown.err
        other = cli("fetch", "--study", "1.2.3", "--source", "WEB", "--config", config_file)
        assert other.out == "fetch 2 from WEB queued: study 1.2.3\n"
    shown = cli("study", "show", STUDY, "--json", "--config", config_file).json()
    assert [(each["source"], each["state"]) for each in shown["fetches"]] == [("PACS", "queued")]


def test_what_cannot_be_asked_for_is_misuse(cli: Cli, config_file: Path) -> None:
    none = cli("fetch", "--study", "1.2.3", "--config", config_file)
    assert (none.status, "no source is configured" in none.err) == (2, True)
    configured(config_file, 104, 80)
    for arguments, said in (
        ((), "say which study"),
        (("--study", "1.2.3", "--accession", "A1"), "say which study"),
        (("--study", "one"), "that is no UID"),
        (("--study", "1.2.3", "--source", "X"), "there are: PACS, WEB"),
    ):
        wrong = cli("fetch", *arguments, "--config", config_file)
        assert wrong.status == 2
        assert said in wrong.err
