"""Browsers and machines before a served node."""

from datetime import UTC, datetime, timedelta

import requests

from node.core.people import Role
from node.credentials import TOKEN_PREFIX, TOKEN_PURPOSE, digest_of, drawn_token, hashed
from node.persistence.people import AccountKind
from node.persistence.store import Store
from tests.node.web.serving import Served

PASSWORD = "correct horse battery"


def add_user(store: Store, name: str, role: Role, *, password: bool = True) -> None:
    """Somebody who logs in with `PASSWORD`, or whom a proxy alone lets in."""
    secret = hashed(PASSWORD) if password else None
    store.add_account(AccountKind.USER, name, role=role, secret=secret, now=datetime.now(UTC))


def add_token(store: Store, name: str, role: Role, *, days: float | None = None) -> str:
    """The token of a machine."""
    token, now = TOKEN_PREFIX + drawn_token(), datetime.now(UTC)
    store.add_account(
        AccountKind.TOKEN,
        name,
        role=role,
        secret=digest_of(token, purpose=TOKEN_PURPOSE),
        now=now,
        ends_at=None if days is None else now + timedelta(days=days),
    )
    return token


class Browser(requests.Session):
    """Keeps cookies, goes nowhere by itself, and says of a changing request where it is from."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.at = f"http://127.0.0.1:{served.port}"

    def visit(self, path: str, **headers: str) -> requests.Response:
        """A GET."""
        return self.get(self.at + path, headers=headers, allow_redirects=False, timeout=30)

    def submit(self, path: str, fields: dict[str, str], **headers: str) -> requests.Response:
        """A form, from a page of this server unless the headers say otherwise."""
        headers = {"Origin": self.at, "Sec-Fetch-Site": "same-origin", **headers}
        return self.post(
            self.at + path, data=fields, headers=headers, allow_redirects=False, timeout=30
        )

    def form_token(self) -> str:
        """The token in the form of the log-in."""
        said = self.visit("/login")
        token = digest_of(self.cookies["m3node_visit"], purpose="csrf of a visit")
        assert said.is_redirect or f'name="csrf_token" value="{token}"' in said.text
        return token

    def log_in(
        self, name: str, password: str = PASSWORD, *, next: str = "/", **headers: str
    ) -> requests.Response:
        """What is answered to name and password."""
        fields = {"name": name, "password": password, "next": next}
        return self.submit("/login", {**fields, "csrf_token": self.form_token()}, **headers)

    @property
    def session_token(self) -> str:
        """What its cookie says."""
        return str(self.cookies["m3node_session"])

    @property
    def csrf_token(self) -> str:
        """What forms of its session carry."""
        return digest_of(self.session_token, purpose="csrf of a session")
