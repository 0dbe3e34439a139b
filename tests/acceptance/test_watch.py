"""What is wrong is told everywhere in the same words, once, and once more when it is over."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.bed import PATIENCE_S, Bed, bed
from tests.node.watch.listeners import webhook
from tests.peers import free_port, listens, wait_until
from tests.required import require_binary

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(300)]

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "m3node.rules.yml"
FROZEN = ("process_frozen", "worker")


@contextmanager
def prometheus(folder: Path, *, scrapes: int) -> Iterator[str]:
    """Prometheus itself, with the rules that ship but for how long they wait; where it answers."""
    folder.mkdir()
    port = free_port()
    rules = re.sub(r"for: \S+", "for: 0s", RULES.read_text())
    (folder / "m3node.rules.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        "rule_files: [m3node.rules.yml]\n"
        "scrape_configs:\n"
        f'  - {{job_name: m3node, static_configs: [{{targets: ["127.0.0.1:{scrapes}"]}}]}}\n'
    )
    running = subprocess.Popen(
        [
            require_binary("prometheus", "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: listens(port), "Prometheus listens", PATIENCE_S)
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        running.terminate()
        running.wait(30)


def signs(node: Bed) -> set[tuple[str, str]]:
    said = requests.get(f"http://127.0.0.1:{node.web_port}/healthz", timeout=30).json()
    return {(each["name"], each["subject"]) for each in said["signs"]}


def firing(api: str) -> list[dict[str, Any]]:
    alerts = requests.get(f"{api}/alerts", timeout=30).json()["data"]["alerts"]
    return [each["labels"] for each in alerts if each["state"] == "firing"]


@pytest.mark.soak
def test_a_frozen_worker_is_told_by_health_webhook_and_prometheus_and_so_is_its_return(
    tmp_path: Path,
) -> None:
    with webhook() as heard:
        settings = {
            "M3NODE_WATCH__FROZEN_AFTER_S": "5",
            "M3NODE_ALERTS__SETTLE_S": "1",
            "M3NODE_ALERTS__WEBHOOK__URL": heard.url,
        }
        with (
            bed(tmp_path, settings=settings) as node,
            prometheus(tmp_path / "prometheus", scrapes=node.web_port) as api,
        ):
            node.start()
            wait_until(lambda: listens(node.web_port), "the page is served", PATIENCE_S)
            wait_until(lambda: not signs(node), "nothing is wrong", PATIENCE_S)
            assert node.cli("health") == "M3NODE answers a C-ECHO\n"
            worker, watcher = node.role("worker"), node.role("watcher")
            assert worker is not None
            assert watcher is not None
            os.kill(worker, signal.SIGSTOP)
            try:
                wait_until(lambda: FROZEN in signs(node), "/healthz tells", PATIENCE_S)
                said = node._m3node("health", "--config", str(node.config))
                assert said.returncode == 1
                assert (
                    f"error   process_frozen worker: the worker (process {worker} on" in said.stdout
                )
                assert f"`kill -9 {worker}`, and it is started again" in said.stdout
                told = [("begun", *FROZEN)]
                wait_until(lambda: told_of(heard.told()) == told, "the webhook heard", PATIENCE_S)
                wait_until(
                    lambda: any(each.get("name") == FROZEN[0] for each in firing(api)),
                    "Prometheus fires",
                    PATIENCE_S,
                )
                os.kill(watcher, signal.SIGKILL)
                wait_until(
                    lambda: node.role("watcher") not in (None, watcher), "it is back", PATIENCE_S
                )
            finally:
                os.kill(worker, signal.SIGCONT)
            told += [("over", *FROZEN)]
            wait_until(lambda: told_of(heard.told()) == told, "it is over", PATIENCE_S)
            wait_until(
                lambda: not any(each.get("name") == FROZEN[0] for each in firing(api)),
                "Prometheus fires no more",
                PATIENCE_S,
            )
            metrics = requests.get(f"http://127.0.0.1:{node.web_port}/metrics", timeout=30).text
            checked = subprocess.run(
                [require_binary("promtool", "prometheus"), "check", "metrics"],
                input=metrics,
                text=True,
                capture_output=True,
                check=False,
            )
            assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
            assert told_of(heard.told()) == told
            assert node.stop() == 0


def told_of(told: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Of the worker."""
    return [each for each in told if each[1:] == FROZEN]


def test_the_rules_that_ship_fire_when_they_should_and_name_what_is_told() -> None:
    promtool = require_binary("promtool", "prometheus")
    for words in (["check", "rules", RULES.name], ["test", "rules", "m3node.test.yml"]):
        done = subprocess.run(
            [promtool, *words], cwd=RULES.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
