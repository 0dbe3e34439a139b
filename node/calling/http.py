"""One HTTP request and its answer, each within bounds, for every destination that is a URL.

The answer is read to its end or to `LARGEST_ANSWER`; the whole exchange ends when its time is up.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from node.calling.guard import LARGEST_ANSWER, Guard, allowed_s
from node.calling.http_answer import PIECE, Answer, head, read
from node.calling.unreached import unreached
from node.core.errors import (
    ConfigError,
    DestinationError,
    DestinationUnreachable,
)


class Config(Protocol):
    """What the sections of all destinations that are a URL say alike."""

    @property
    def url(self) -> str:
        """Base URL."""
        ...

    @property
    def headers_file(self) -> Path | None:
        """Headers that are sent with each request."""
        ...

    @property
    def ca_file(self) -> Path | None:
        """Who signs its certificate."""
        ...

    @property
    def timeout_s(self) -> float:
        """Longest silence."""
        ...

    @property
    def slowest_kb_s(self) -> float:
        """Slowest pace."""
        ...


class Body(Protocol):
    """What is sent, read as it goes out."""

    def __len__(self) -> int:
        """Its bytes."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes in pieces."""
        ...

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        ...


class Service:
    """One origin server; a context, within which connections are kept."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._guard = Guard()
        self._session = _NoRedirects()
        adapter = _Watched(self._guard)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.auth = _SecretHeaders(config.headers_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._guard.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        body: Body | bytes = b"",
        largest: int = LARGEST_ANSWER,
    ) -> Answer:
        """The answer, whatever it says.  Raises DestinationUnreachable or DestinationNotReady.

        largest : of an answer's body that is read
        """
        config = self._config
        seconds = allowed_s(len(body), timeout_s=config.timeout_s, slowest_kb_s=config.slowest_kb_s)
        try:
            with (
                self._guard.within(seconds),
                self._request(method, path, headers, params, body) as response,
            ):
                answer = read(response, largest)
        except (requests.RequestException, HTTPError) as error:
            if not self._guard.expired:
                raise self._unanswered(error) from error
            answer = None
        if answer is None or self._guard.expired:
            raise DestinationUnreachable(
                f"{config.url} was too slow: {len(body)} bytes and the answer took longer than "
                f"{seconds:.1f} s; see timeout_s and slowest_kb_s"
            )
        return answer

    def pour(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        into: Callable[[Answer], Callable[[bytes], None]],
    ) -> None:
        """An answer of any size has gone through as it came, at the slowest pace or faster.

        into : told of the answer without its body; takes the body's pieces

        Raises DestinationUnreachable or DestinationNotReady, and what `into` raises.
        """
        config = self._config
        seconds = allowed_s(0, timeout_s=config.timeout_s, slowest_kb_s=config.slowest_kb_s)
        try:
            with (
                self._guard.within(seconds, slowest_kb_s=config.slowest_kb_s),
                self._request("GET", path, headers, None, b"") as response,
            ):
                is_good = response.status_code < 300
                take = into(head(response, b"") if is_good else read(response, LARGEST_ANSWER))
                for piece in response.raw.stream(PIECE, decode_content=False):
                    self._guard.received(len(piece))
                    take(piece)
        except (requests.RequestException, HTTPError) as error:
            if not self._guard.expired:
                raise self._unanswered(error) from error
        if self._guard.expired:
            raise DestinationUnreachable(
                f"{config.url} was too slow: its answer came slower than slowest_kb_s, or stopped "
                f"for {seconds:.1f} s"
            )

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None,
        body: Body | bytes,
    ) -> requests.Response:
        return self._session.request(
            method,
            f"{self._config.url.rstrip('/')}{path}",
            params=params,
            headers={"Accept-Encoding": "identity", **headers},
            data=body or None,
            verify=_authorities(self._config.ca_file),
            timeout=self._config.timeout_s,
            stream=True,
        )

    def _unanswered(self, error: requests.RequestException | HTTPError) -> DestinationError:
        url = self._config.url
        where = (
            f"the proxy before {url}" if isinstance(error, requests.exceptions.ProxyError) else url
        )
        return unreached(where, error, timeout_s=self._config.timeout_s)


def read_headers(path: Path) -> dict[str, str]:
    """The "Name: value" lines of a file; empty lines and # comments are skipped.

    Raises DestinationUnreachable if the file cannot be read now, ConfigError if a line is no
    header; neither quotes what stands there.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        words = f"headers_file {path} cannot be read: {error.strerror}"
        raise DestinationUnreachable(words) from error
    except UnicodeDecodeError as error:
        raise DestinationUnreachable(f"headers_file {path} is no text") from error
    headers = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ConfigError(f"headers_file {path}, line {number}: expected 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers


class _NoRedirects(requests.Session):
    """Follows no redirect: a redirected POST becomes a GET, which stores nothing.

    Though told not to follow, requests would parse the address, and raise if it is none.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        del resp


class _SecretHeaders(requests.auth.AuthBase):
    """Adds the lines of headers_file at the last moment, where no log sees them.

    The file is read for every send, so that a renewed token needs no restart.
    """

    def __init__(self, path: Path | None) -> None:
        self._headers = {} if path is None else read_headers(path)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


def _authorities(ca_file: Path | None) -> str | bool:
    """Where the authorities stand that are trusted: the system's if none are named.

    requests would take a list of its own, and one that its environment names before ours.
    """
    system = ssl.get_default_verify_paths()
    return str(ca_file) if ca_file else system.cafile or system.capath or True


class _Watched(HTTPAdapter):
    """Hands every new connection to the guard, before anything is said over it."""

    def __init__(self, guard: Guard) -> None:
        self._pools = _watched_pools(guard)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _watched_pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> Any:
            connection = super()._new_conn()
            guard.watch(connection)
            return connection

    class Secured(HTTPSConnection):
        def _new_conn(self) -> Any:
            connection = super()._new_conn()
            guard.watch(connection)
            return connection

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecuredPool(HTTPSConnectionPool):
        ConnectionCls = Secured

    return {"http": PlainPool, "https": SecuredPool}
