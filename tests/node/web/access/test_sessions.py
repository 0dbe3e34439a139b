"""Log-in and log-out over real sockets, and what an attacker tries about them."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from node.core.people import Role
from node.credentials import SESSION_PURPOSE, digest_of, drawn_token, hashed
from node.persistence.people import AccountKind
from node.web.access.attempts import Attempts
from tests.node.web.access.browsing import PASSWORD, Browser, add_user
from tests.node.web.serving import Served, serving
from tests.peers import wait_until


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("web"), web={"host": "0.0.0.0"}) as it:
        for name, role in (("Anna", Role.OPERATOR), ("vera", Role.VIEWER), ("sam", Role.SENDER)):
            add_user(it.services.store, name, role)
        yield it


@pytest.fixture
def browser(served: Served) -> Browser:
    return Browser(served)


def test_a_stranger_is_led_to_the_log_in_and_back(browser: Browser) -> None:
    led = browser.visit("/study/1.2.3?from=list&x=1")
    assert (led.status_code, led.headers["Location"]) == (
        303,
        "/login?next=/study/1.2.3%3Ffrom%3Dlist%26x%3D1",
    )
    form = browser.visit(led.headers["Location"])
    assert 'name="next" value="/study/1.2.3?from=list&amp;x=1"' in form.text
    back = browser.log_in("anna", next="/study/1.2.3?from=list&x=1")
    assert (back.status_code, back.headers["Location"]) == (303, "/study/1.2.3?from=list&x=1")
    assert browser.visit("/study/1.2.3").status_code != 303
    assert browser.visit("/login").headers["Location"] == "/"


def test_the_cookie_is_for_this_server_and_no_script(browser: Browser) -> None:
    said = browser.log_in("vera").headers["Set-Cookie"]
    assert "m3node_session=" in said
    for each in said.split(", m3node"):
        assert "HttpOnly" in each
        assert "SameSite=lax" in each
        assert "Path=/" in each
        assert "Domain" not in each


@pytest.mark.parametrize("web", [{"public_url": "https://pacs.example/m3node/dicom-web"}])
def test_behind_tls_the_cookie_never_travels_in_the_clear(
    tmp_path: Path, web: dict[str, str]
) -> None:
    with serving(tmp_path, web=web) as secured:
        stranger = requests.get(
            f"http://127.0.0.1:{secured.port}/login", headers={"Host": "pacs.example"}, timeout=10
        )
        led = secured.get("/", headers={"Host": "pacs.example"}, allow_redirects=False)
    cookie = stranger.headers["Set-Cookie"]
    assert cookie.startswith("__Host-m3node_visit=")
    assert "Secure" in cookie
    assert 'action="/m3node/login"' in stranger.text
    assert led.headers["Location"] == "/m3node/login?next=/"


def test_what_is_wrong_is_not_said_and_what_was_typed_is_not_shown(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    answers = []
    with caplog.at_level(logging.INFO, "node"):
        for name, password in (
            ("vera", "wrong"),
            ("nobody", PASSWORD),
            ("vera\nanna (operator)", "x"),
            ("<b>", ""),
            ("local", PASSWORD),
            (PASSWORD, "vera"),
            ("ve\0ra", PASSWORD),
        ):
            said = browser.log_in(name, password)
            answers.append((said.status_code, "belong together" in said.text))
            assert name not in said.text or name == "local"
    assert answers == [*[(422, True)] * 6, (400, False)]
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert [each["user"] for each in fields if "user" in each] == ["vera", *["-"] * 5]
    assert all(PASSWORD not in str(each) for each in fields)


def test_a_session_is_new_at_each_log_in_and_the_old_one_is_over(
    served: Served, browser: Browser
) -> None:
    browser.cookies.set("m3node_session", "chosen-by-an-attacker", domain="127.0.0.1")
    browser.log_in("anna")
    first = [c.value for c in browser.cookies if c.name == "m3node_session"]
    assert "chosen-by-an-attacker" not in first
    copied = Browser(served)
    copied.cookies.set("m3node_session", first[-1])
    assert copied.visit("/").status_code != 303
    browser.log_in("anna")
    assert browser.session_token != first[-1]
    assert copied.visit("/").status_code == 303


def test_logging_out_ends_it_for_whoever_has_the_cookie(served: Served, browser: Browser) -> None:
    browser.log_in("anna")
    copied = Browser(served)
    copied.cookies.set("m3node_session", browser.session_token)
    assert browser.submit("/logout", {}).status_code == 403
    assert browser.visit("/logout").status_code == 405
    out = browser.submit("/logout", {"csrf_token": browser.csrf_token})
    assert (out.status_code, out.headers["Location"]) == (303, "/login")
    assert "m3node_session" not in browser.cookies
    assert copied.visit("/").status_code == 303


def test_a_new_password_and_removal_end_every_session(served: Served, browser: Browser) -> None:
    store = served.services.store
    add_user(store, "carl", Role.VIEWER)
    browser.log_in("carl")
    assert browser.visit("/").status_code != 303
    store.set_password("carl", hashed("another long one"), now=datetime.now(UTC))
    assert browser.visit("/").status_code == 303
    assert browser.log_in("carl").status_code == 422
    assert browser.log_in("carl", "another long one").status_code == 303
    store.remove_account(AccountKind.USER, "carl", now=datetime.now(UTC))
    assert browser.visit("/").status_code == 303


def test_whose_session_ends_before_an_action_is_told_that_nothing_was_done_and_is_asked_again(
    served: Served, browser: Browser
) -> None:
    add_user(served.services.store, "dora", Role.OPERATOR)
    browser.log_in("dora")
    ask = "/act/echo/pacs"
    fields = {"csrf_token": browser.csrf_token}
    served.services.store.remove_account(AccountKind.USER, "dora", now=datetime.now(UTC))
    led = browser.submit(ask, fields, Accept="text/html")
    where = "/login?next=/act/echo/pacs&ended=1"
    assert (led.status_code, led.headers["Location"]) == (303, where)
    form = browser.visit(where)
    assert "Your log-in has ended, so nothing was done." in form.text
    assert 'name="next" value="/act/echo/pacs"' in form.text
    program = browser.submit(ask, fields, Accept="application/json")
    assert program.status_code == 401


def test_of_a_session_the_database_knows_no_cookie(served: Served, browser: Browser) -> None:
    browser.log_in("anna")
    token = browser.session_token
    stolen = digest_of(token, purpose=SESSION_PURPOSE)
    for shown in (stolen, token + "x", token[:-1], token.swapcase(), "", "x" * 9000, "é"):
        thief = Browser(served)
        answer = thief.visit("/", Cookie=f"m3node_session={shown}")
        assert answer.status_code == 303, shown


def test_the_way_back_leads_nowhere_else(browser: Browser) -> None:
    for path in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
        "/x\r\nSet-Cookie: a=b",
        "/" * 3000,
    ):
        assert browser.log_in("vera", next=path).headers["Location"] == "/"


def test_a_log_in_that_another_site_sends_is_none(browser: Browser) -> None:
    fields = {"name": "anna", "password": PASSWORD, "csrf_token": browser.form_token()}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": f"{browser.at}.evil.example"},
        {"Origin": browser.at.replace("http", "ftp")},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert browser.submit("/login", fields, **headers).status_code == 403
    for token in ("", "0" * 64, fields["csrf_token"][:-1]):
        assert browser.submit("/login", {**fields, "csrf_token": token}).status_code == 403
    hidden = {"Origin": "null"}  # what a browser says of a form on a page with no-referrer
    assert browser.submit("/login", {**fields, "csrf_token": ""}, **hidden).status_code == 403
    assert browser.submit("/login", fields, **hidden).status_code == 303
    stranger = browser.submit("/login", fields, Cookie="m3node_visit=another")
    assert stranger.status_code == 403
    assert browser.submit("/login", fields).status_code == 303


def test_a_sender_who_logs_in_sees_nothing_and_may_leave(browser: Browser) -> None:
    assert browser.log_in("sam").status_code == 303
    assert browser.visit("/").status_code == 403
    assert browser.visit("/api/studies").status_code == 403
    assert browser.visit("/dicom-web/studies").status_code == 403
    out = browser.submit("/logout", {"csrf_token": browser.csrf_token})
    assert out.status_code == 303


def test_guessing_is_stopped_and_the_answer_says_for_how_long(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        browser = Browser(served)
        add_user(served.services.store, "anna", Role.OPERATOR)
        assert browser.log_in("anna").status_code == 303
        guesser = Browser(served)
        form = guesser.form_token()
        said = [
            guesser.submit("/login", {"name": f"user{n}", "password": "x", "csrf_token": form})
            for n in range(11)
        ]
        assert [each.status_code for each in said] == [*[422] * 10, 429]
        assert 0 < int(said[-1].headers["Retry-After"]) <= 31
        # anna has logged in from there before: her tries are her own
        assert Browser(served).log_in("anna").status_code == 303


def test_a_page_that_renews_itself_keeps_no_session_open(served: Served, browser: Browser) -> None:
    store, now = served.services.store, datetime.now(UTC)
    user = store.user_of_name("vera")
    assert user is not None
    token = drawn_token()
    digest = digest_of(token, purpose=SESSION_PURPOSE)
    begun, ends = now - timedelta(minutes=10), now + timedelta(hours=1)
    store.open_session(user, digest, address="127.0.0.1", now=begun, ends_at=ends)

    def seen_at() -> datetime:
        found = store.holder_of_session(digest, now=now, idle=timedelta(hours=1))
        assert found is not None
        return found[1]

    shown = {"Cookie": f"m3node_session={token}"}
    assert browser.visit("/", **shown, **{"X-By-Itself": "1"}).status_code == 200
    assert seen_at() == begun
    assert browser.visit("/", **shown).status_code == 200
    assert seen_at() >= now


def test_those_who_log_in_leave_threads_to_everybody_else(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr("node.web.access.login.is_password", lambda *_: not over.wait(30))
    monkeypatch.setattr(Attempts, "take", lambda *_, **__: 0.0)

    def status(number: int) -> int:
        return Browser(served).log_in(f"user{number}").status_code

    with ThreadPoolExecutor(14) as pool:
        trying = [pool.submit(status, number) for number in range(14)]
        wait_until(lambda: sum(each.done() for each in trying) == 4, "four are turned away")
        assert served.get("/healthz").ok
        over.set()
    assert sorted(each.result() for each in trying) == [*[422] * 10, *[503] * 4]
