"""A day in the life: what goes wrong is seen on the page, in /metrics, by `m3node health` and in
one alert; and once it is over, that is told too.  An upgrade keeps all that the node knows."""

import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import pytest

from node.demo.receiving_scp import ReceivingSCP
from node.persistence.upgrading import revisions
from tests.acceptance import studies
from tests.acceptance.bed import PATIENCE_S, Bed, bed
from tests.certificates import authority
from tests.node.persistence.earlier import make_earlier, revision_of
from tests.node.watch.listeners import Heard, webhook
from tests.peers import free_port, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]


@contextmanager
def watched(tmp_path: Path) -> Iterator[tuple[Bed, Heard]]:
    """A node whose PACS is down and whose certificate is near its end, and who hears of it.

    An hour is a second or two.
    """
    hospital = authority(tmp_path)
    own = hospital.issue("m3node", days=10)
    with webhook() as heard:
        node = Bed(
            tmp_path / "bed",
            {
                "M3NODE_RECEIVER__TLS": "{}",
                "M3NODE_RECEIVER__TLS__PORT": str(free_port()),
                "M3NODE_RECEIVER__TLS__CERTIFICATE_FILE": str(own.certificate_file),
                "M3NODE_RECEIVER__TLS__KEY_FILE": str(own.key_file),
                "M3NODE_RECEIVER__TLS__CA_FILE": str(hospital.ca_file),
                "M3NODE_DELIVERY__RETRY_BASE_S": "0.3",
                "M3NODE_DELIVERY__RETRY_CAP_S": "1",
                "M3NODE_WATCH__DESTINATION_DOWN_AFTER_S": "2",
                "M3NODE_ALERTS__SETTLE_S": "0",
                "M3NODE_ALERTS__WEBHOOK": f'{{"url": "{heard.url}"}}',
            },
        )
        try:
            yield node, heard
        finally:
            if node.serve is not None and node.serve.poll() is None:
                node.kill(group=True)


def test_what_goes_wrong_in_a_day_is_seen_everywhere_and_told_once(tmp_path: Path) -> None:
    with watched(tmp_path) as (node, heard):
        node.start()
        look = Look(node, heard)
        look.sees("certificate", "receiver.tls", fails=False)

        phantom = studies.phantom("day")
        uid = studies.study_uid(phantom)
        node.send(studies.marked(phantom))
        look.sees("destination_down", "pacs", fails=True)
        with node.pacs:
            node.wait_for_reports(uid)
            look.sees_the_end("destination_down", "pacs")
            why = node.cli("why", "A-day")
            assert len(re.findall("delivery 1 ", why)) < 10, "tries are folded"

            node.cli("study", "delete", uid, "--yes")
            gone = node.asked("why", uid)
            assert (gone.returncode, "erased" in gone.stderr) == (1, True), gone
        told = Counter(heard.told())
        assert told["begun", "certificate", "receiver.tls"] == 1
        assert told["begun", "destination_down", "pacs"] == 1
        assert told["over", "destination_down", "pacs"] == 1
        assert not [body for body in heard.bodies if "PHANTOM" in str(body)]


def test_destinations_come_change_and_go_while_the_node_runs(tmp_path: Path) -> None:
    """By `m3node reload`, and what waits for one that is gone is told of until somebody ends it."""
    first, second = studies.phantom("reload"), studies.phantom("reload2")
    with (
        bed(tmp_path, settings={"M3NODE_DELIVERY__RETRY_CAP_S": "1"}) as node,
        ReceivingSCP(tmp_path / "ris", ae_title="RIS") as ris,
    ):
        node.start()
        receiver = node.role("receiver")
        path, before = node.config, node.config.read_text()

        path.write_text(before + _destination("ris", free_port()))
        refused = node.asked("reload")
        assert refused.returncode == 1, "nobody answers there: it is said, and nothing is done"
        assert "nothing has been changed; --force does it all the same" in refused.stderr
        assert "taken over: destinations" in node.cli("reload", "--force")
        node.send(studies.marked(first))
        wait_until(lambda: _tried(node) == ["ris"], "what was added is tried", PATIENCE_S)

        path.write_text(before + _destination("ris", ris.port))
        assert "taken over: destinations" in node.cli("reload")
        node.wait_for_reports(studies.study_uid(first))
        assert len(ris.received("SR")) == 1, "what was changed gets what has waited for it"

        path.write_text(before + _destination("ris", free_port()))
        node.cli("reload", "--force")
        node.send(studies.marked(second))
        wait_until(lambda: _tried(node) == ["ris"], "one that is down is tried", PATIENCE_S)
        path.write_text(before)
        assert "taken over: destinations" in node.cli("reload")
        health = node.asked("health").stdout
        assert "1 delivery waits for ris, which no [[destinations]] names" in health
        cancelled = node.cli("delivery", "cancel", "--destination", "ris")
        assert re.fullmatch(r"delivery \d cancelled\n", cancelled)
        assert "ris" not in node.asked("health").stdout
        node.wait_for_reports(studies.study_uid(second))

        path.write_text(before.replace("[receiver]", "[receivers]"))
        assert "receivers" in node.asked("reload").stderr
        assert node.role("receiver") == receiver, "who sends has noticed none of it"


def _destination(name: str, port: int) -> str:
    return (
        f'\n[[destinations]]\nname = "{name}"\nkind = "dimse"\nhost = "127.0.0.1"\n'
        f'port = {port}\nae_title = "RIS"\n'
    )


def _tried(node: Bed) -> list[str]:
    rows = node.json("delivery", "list", "--state", "queued")
    return [row["destination"] for row in rows if row["tries"]]


EARLIER = "0009"


def test_a_node_of_an_earlier_version_is_upgraded_with_all_that_it_knows(tmp_path: Path) -> None:
    phantom = studies.phantom("upgrade")
    uid = studies.study_uid(phantom)
    with bed(tmp_path) as node:
        file = node.config.parent / "data" / "m3node.sqlite"
        node.start()
        node.send(studies.marked(phantom))
        (report,) = node.wait_for_reports(uid)
        added = node.asked(
            "user", "add", "anna", "--role", "viewer", typed="a long sentence, it is"
        )
        assert added.returncode == 0, added.stderr
        known = Known.of(node, uid)
        assert [user["name"] for user in known.users] == ["anna"]
        began = time.monotonic()
        assert node.stop() == 0
        assert time.monotonic() - began < 2, "nothing is under way: SIGTERM ends it at once"

        make_earlier(file, EARLIER)
        for verb in (["study", "list"], ["health"], ["why", uid], ["verify"]):
            told = node.asked(*verb)
            assert told.returncode == 1
            says = "make a backup (m3node backup DIR), then start `m3node serve`"
            assert says in told.stderr + told.stdout, verb
        node.cli("backup", str(tmp_path / "backup"))
        assert revision_of(tmp_path / "backup" / "m3node.sqlite") == EARLIER

        node.launch()
        wait_until(
            lambda: "database.upgrading" in node.log.read_text(), "the upgrade begins", PATIENCE_S
        )
        node.kill(group=True)
        assert revision_of(file) in (EARLIER, revisions()[-1]), "all of it, or nothing"
        node.start()
        assert revision_of(file) == revisions()[-1]
        upgraded = rf"database\.upgraded +present={EARLIER} newest={revisions()[-1]}"
        assert re.search(upgraded, node.log.read_text())
        assert Known.of(node, uid) == known
        assert node.cli("verify") == "every file is as it was written\n"
        node.cli("job", "requeue", "--study", uid)
        again = node.wait_for_reports(uid, 2)
        assert {ds.SOPInstanceUID for ds in again} == {report.SOPInstanceUID}, "none is made anew"
        other = studies.phantom("after")
        node.send(studies.marked(other))
        assert node.wait_for_reports(studies.study_uid(other))
        assert node.stop() == 0

        with closing(sqlite3.connect(file)) as database, database:
            database.execute("UPDATE alembic_version SET version_num = '9999'")
        refused = node.asked("serve")
        assert refused.returncode == 1
        assert "install the newer program again, or restore the backup" in refused.stderr
        assert "Traceback" not in refused.stderr


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a node tells of a study, and of its users."""

    study: Any
    deliveries: Any
    diary: Any
    users: Any

    @classmethod
    def of(cls, node: Bed, uid: str) -> Self:
        """As it is asked now."""
        return cls(
            study=node.json("study", "show", uid),
            deliveries=node.json("delivery", "list"),
            diary=node.json("why", uid),
            users=node.json("user", "list"),
        )


class Look:
    """Everybody's ways to see what is wrong."""

    def __init__(self, node: Bed, heard: Heard) -> None:
        self._node, self._heard = node, heard

    def sees(self, name: str, subject: str, *, fails: bool) -> None:
        """It is seen in every way."""
        wait_until(
            lambda: ("begun", name, subject) in self._heard.told(),
            f"an alert that {name} has begun",
            PATIENCE_S,
        )
        signs = {(each["name"], each["subject"]): each for each in self._signs()}
        sign = signs[name, subject]
        assert sign["severity"] == ("error" if fails else "warning")
        assert self._metric(name, subject)
        assert escape(sign["says"]) in self._get("/")

    def sees_the_end(self, name: str, subject: str) -> None:
        """It is over, and that is told."""
        wait_until(
            lambda: ("over", name, subject) in self._heard.told(),
            f"an alert that {name} is over",
            PATIENCE_S,
        )
        assert (name, subject) not in {(each["name"], each["subject"]) for each in self._signs()}
        assert not self._metric(name, subject)

    def _signs(self) -> list[dict[str, str]]:
        done = self._node.asked("health", "--json")
        signs: list[dict[str, str]] = json.loads(done.stdout)["signs"]
        wrong = any(each["severity"] == "error" for each in signs)
        assert done.returncode == int(wrong), done.stdout
        return signs

    def _metric(self, name: str, subject: str) -> bool:
        lines = self._get("/metrics").splitlines()
        found = [each for each in lines if each.startswith("m3node_sign{")]
        return any(f'name="{name}"' in each and f'subject="{subject}"' in each for each in found)

    def _get(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self._node.web_port}{path}", timeout=30) as answer:
            return str(answer.read().decode())
