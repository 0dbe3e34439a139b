"""Who is let in where: over real sockets, with what an attacker would try."""

import re
import socket
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.routing import BaseRoute, Mount, Route

from node.core.people import Role
from node.web.application import application
from tests.node.web.access.browsing import Browser, add_token, add_user
from tests.node.web.serving import Served, serving

UID = "1.2.3"
LISTED: dict[str, Any] = {"allowed_peers": ["10.0.0.0/8"]}


@pytest.fixture(scope="module")
def open_to_others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With users and tokens, on every address; a proxy at 127.0.0.2 names users."""
    web = {
        "host": "0.0.0.0",
        "proxy_peers": ["127.0.0.2"],
        "proxy_user_header": "X-Remote-User",
        **LISTED,
    }
    with serving(
        tmp_path_factory.mktemp("web"), web=web, receiver={"allowed_peers": ["10.0.0.0/8"]}
    ) as it:
        for name, role in (("anna", Role.OPERATOR), ("vera", Role.VIEWER), ("Zoë", Role.VIEWER)):
            add_user(it.services.store, name, role, password=name != "Zoë")
        yield it


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """As it is until somebody says otherwise."""
    with serving(tmp_path_factory.mktemp("local")) as it:
        yield it


def asked(served: Served, path: str, method: str = "GET", **headers: str) -> int:
    """The status of the answer."""
    return requests.request(
        method,
        f"http://127.0.0.1:{served.port}{path}",
        headers=headers,
        allow_redirects=False,
        timeout=30,
    ).status_code


def raw(served: Served, head: str) -> int:
    """The status of the answer to a request that no library would send."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        return int(connection.recv(64).split()[1])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_strangers_see_nothing_and_programs_are_told_how(open_to_others: Served) -> None:
    assert asked(open_to_others, "/healthz") == 200
    for path in ("/", "/study/1.2.3", "/nothing", "/logout", "/ohif", "//login", "/login/"):
        assert asked(open_to_others, path) == 303, path
    for path in ("/api/studies", "/api", "/metrics/x"):
        assert asked(open_to_others, path) == 401, path
    said = open_to_others.get("/api/studies")
    assert said.status_code == 401
    assert said.headers["WWW-Authenticate"] == 'Bearer realm="m3node"'
    assert open_to_others.get("/dicom-web/studies").status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "//",
        "/./",
        "/.",
        "/%2e%2e/",
        "/login/../study/1",
        "/login%2f..%2fstudy%2f1",
        "/login;/study",
        "/static/../study/1",
        "/static/%2e%2e/study/1",
        "/static//../study",
        "/healthz/../study/1",
        "/healthz/",
        "/healthz%00",
        "/LOGIN",
        "/login.",
        "/dicom-web/../study/1",
        "/dicom-web/%2e%2e/api/studies",
        "/dicom-webx",
        "http://evil.example/study/1",
        "*",
    ],
)
def test_no_spelling_of_an_address_leads_past_the_log_in(
    open_to_others: Served, target: str
) -> None:
    host = f"127.0.0.1:{open_to_others.port}"
    status = raw(open_to_others, f"GET {target} HTTP/1.1\nHost: {host}\nConnection: close")
    assert status in (303, 400, 401, 403, 404), (target, status)


def test_no_method_leads_past_it(open_to_others: Served) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "GETX"):
        for path in ("/api/studies", "/dicom-web/studies"):
            assert asked(open_to_others, path, method) in (400, 401, 403), (method, path)
    for headers in ({"X-HTTP-Method-Override": "GET"}, {"X-Original-URL": "/login"}):
        assert asked(open_to_others, "/api/studies", "POST", **headers) == 401


def test_each_role_reaches_its_own_alone(open_to_others: Served) -> None:
    store = open_to_others.services.store
    tokens = {role: add_token(store, f"machine-{role}", role) for role in Role}
    wanted = {
        # see, an analysis cancelled, an object stored (none is sent: 400)
        Role.VIEWER: (404, 403, 403),
        Role.OPERATOR: (404, 400, 400),
        Role.SENDER: (403, 400, 400),
    }
    for role, (see, cancel, keep) in wanted.items():
        shown = bearer(tokens[role])
        assert asked(open_to_others, "/api/nothing", **shown) == see
        assert (
            asked(open_to_others, "/dicom-web/workitems/x/cancelrequest", "POST", **shown) == cancel
        )
        typed = {"Content-Type": "multipart/related"}
        assert asked(open_to_others, "/dicom-web/studies", "POST", **shown, **typed) == keep
        sees = asked(open_to_others, "/dicom-web/studies", **shown)
        assert sees == (403 if role is Role.SENDER else 204 if sees == 204 else 200)


def test_a_token_that_ended_or_is_none_lets_nobody_in(open_to_others: Served) -> None:
    store = open_to_others.services.store
    ended = add_token(store, "ended", Role.OPERATOR, days=-1)
    good = add_token(store, "good", Role.VIEWER)
    for token in (ended, "", "m3n_", good[:-1], good.upper(), f"{good} {good}", "a" * 5000):
        assert asked(open_to_others, "/api/x", **bearer(token)) == 401
    assert asked(open_to_others, "/api/x", Authorization=f"bearer  {good}") == 404
    assert asked(open_to_others, "/api/x", Authorization=f"Basic {good}") == 401
    assert asked(open_to_others, "/api/x", Cookie=f"m3node_session={good}") == 401


def test_what_a_proxy_says_counts_from_a_named_one_alone(open_to_others: Served) -> None:
    named = {"X-Remote-User": "anna"}
    assert asked(open_to_others, "/api/x", **named) == 401
    forwarded = {**named, "X-Forwarded-For": "127.0.0.2", "Forwarded": "for=127.0.0.2"}
    assert asked(open_to_others, "/api/x", **forwarded) == 401

    def through_the_proxy(*lines: str, method: str = "GET") -> int:
        with socket.create_connection(
            ("127.0.0.1", open_to_others.port), timeout=30, source_address=("127.0.0.2", 0)
        ) as connection:
            head = "\r\n".join([f"{method} /api/x HTTP/1.1", "Host: a", *lines, "", ""])
            connection.sendall(head.encode())
            return int(connection.recv(64).split()[1])

    assert through_the_proxy("X-Remote-User: anna") == 404
    assert through_the_proxy("X-Remote-User: zoë") == 404
    assert through_the_proxy("X-Remote-User: mallory") == 401
    assert through_the_proxy("X-Remote-User:") == 401
    assert through_the_proxy("X-Remote-User: vera", "X-Remote-User: anna") == 401
    # the proxy's log-in is shown by every browser, whoever's page made it ask
    assert through_the_proxy("X-Remote-User: anna", method="POST") == 403
    assert through_the_proxy("X-Remote-User: anna", "Origin: http://a", method="POST") == 403


def test_a_session_changes_nothing_without_its_token(open_to_others: Served) -> None:
    browser = Browser(open_to_others)
    browser.log_in("anna")
    token = browser.csrf_token

    def sent(content_type: str = "application/json", **headers: str) -> int:
        said = browser.post(
            f"{browser.at}/api/nothing",
            data="{}",
            headers={"Content-Type": content_type, "Origin": browser.at, **headers},
            timeout=30,
        )
        return said.status_code

    assert sent(**{"X-CSRF-Token": token}) == 404
    assert sent() == 403
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "multipart/form-data",
    ):
        assert sent(content_type) == 403, content_type
    for wrong in ("", "0" * 64, token[:-1], token + "0", token.upper(), browser.session_token):
        assert sent(**{"X-CSRF-Token": wrong}) == 403
    for origin in ("https://evil.example", "http://[", "http://127.0.0.1:1", "http://localhost"):
        assert sent(**{"X-CSRF-Token": token, "Origin": origin}) == 403
    other = Browser(open_to_others)
    other.log_in("vera")
    assert sent(**{"X-CSRF-Token": other.csrf_token}) == 403
    assert asked(open_to_others, "/api/x", "POST", Cookie=f"m3node_session={token}") == 401


def test_bodies_are_bounded_and_broken_forms_refused(open_to_others: Served) -> None:
    browser = Browser(open_to_others)
    form = browser.form_token()
    large = {"name": "a" * 70_000, "password": "x", "csrf_token": form}
    assert browser.submit("/login", large).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    many = {f"f{n}": "" for n in range(2000)}
    assert browser.submit("/login", {**many, "csrf_token": form}).status_code == 400
    headers = {"Origin": browser.at, "Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"name=%ff%fe", b"name=\xff", b"name=a%00b", b"%00=1"):
        said = browser.post(f"{browser.at}/login", data=body, headers=headers, timeout=30)
        assert said.status_code == 400, body


def test_pages_may_do_nothing_that_they_need_not(open_to_others: Served) -> None:
    said = open_to_others.get("/login")
    assert said.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert said.headers["X-Content-Type-Options"] == "nosniff"
    assert said.headers["Referrer-Policy"] == "same-origin"
    assert said.headers["Cache-Control"] == "no-store"
    assert " style=" not in said.text
    assert "<script>" not in said.text
    turned = requests.get(f"http://127.0.0.1:{open_to_others.port}/api/x", timeout=10)
    assert "Content-Security-Policy" in turned.headers


def test_whoever_is_at_this_machine_is_the_operator_until_there_is_a_user(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        assert asked(served, "/api/nothing") == 404
        assert asked(served, "/dicom-web/studies") in (200, 204)
        add_user(served.services.store, "anna", Role.VIEWER)
        assert asked(served, "/api/nothing") == 401
        assert asked(served, "/dicom-web/studies") == 401
        assert asked(served, "/healthz") == 200


def test_nobody_is_local_where_others_can_be(tmp_path: Path, local: Served) -> None:
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        assert asked(local, "/api/nothing", **{header: "1.1"}) == 401
    with serving(tmp_path, web={"host": "0.0.0.0"}) as served:
        assert asked(served, "/api/nothing") == 401
        assert asked(served, "/dicom-web/studies") == 401


def test_another_name_for_this_machine_opens_nothing(local: Served) -> None:
    for host in (
        "evil.example",
        f"evil.example:{local.port}",
        "localhost.evil.example",
        "localhost.",
    ):
        for path in ("/", "/api/nothing", "/login"):
            assert asked(local, path, Host=host) == 421, (host, path)
        # a browser is known by what it says of itself; DICOMweb clients come by any name
        assert asked(local, "/dicom-web/studies", Host=host, **{"Accept-Language": "en"}) == 421
        assert asked(local, "/dicom-web/studies", Host=host) in (200, 204)
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", f"[::1]:{local.port}"):
        assert asked(local, "/api/nothing", Host=host) == 404, host
    assert raw(local, "GET /api/x HTTP/1.1\nHost: localhost\nHost: evil.example") in (400, 421)
    assert raw(local, "GET /api/x HTTP/1.0") == 421


def test_another_sites_page_changes_nothing_on_this_machine(local: Served) -> None:
    evil = {"Origin": "https://evil.example"}
    for headers in (evil, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert asked(local, "/api/nothing", "POST", **headers) == 403
        assert asked(local, "/dicom-web/studies", "POST", **headers) == 403
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    assert asked(local, "/api/nothing", "POST", **typed) == 403
    assert asked(local, "/api/nothing", "POST") == 404  # a program of this machine's


def addresses(routes: Iterable[BaseRoute], above: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path that anything answers, with something for what varies."""
    for route in routes:
        match route:
            case Mount():
                yield from addresses(route.routes, above + route.path)
            case Route():
                path = re.sub(r"\{[^}]*\}", "7", above + route.path)
                for method in route.methods or ():
                    yield method, path


OPEN = {"/healthz", "/readyz", "/login"}
VIEWS = {"/logout"}
"""Changes that are no acts: everybody who is in may leave."""


def test_no_route_is_open_to_strangers_nor_to_another_role(open_to_others: Served) -> None:
    every = set(addresses(application(open_to_others.services).routes))
    assert len(every) > 30
    store = open_to_others.services.store
    viewer = bearer(add_token(store, "sees", Role.VIEWER))
    sender = bearer(add_token(store, "sends", Role.SENDER))
    for method, path in sorted(every):
        if path in OPEN or path.startswith("/static"):
            continue
        assert asked(open_to_others, path, method) in (303, 401, 403), (method, path)
        if method == "POST" and path not in VIEWS:
            assert asked(open_to_others, path, method, **viewer) == 403, (method, path)
        if not (method == "POST" and path.startswith("/dicom-web")) and path not in VIEWS:
            assert asked(open_to_others, path, method, **sender) == 403, (method, path)
