"""A destination that takes results over DICOMweb (STOW-RS, PS3.18 10.5).

One object a request.  The HTTP status alone says little: 200 and 202 may carry a list of failures
(Failed SOP Sequence), and 409 always does, so the answer is read for this very instance.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset

from node.config import DicomwebDestination
from node.core.errors import (
    ConfigError,
    DestinationRefused,
    DestinationUnreachable,
    VariantRejected,
)
from node.dicom.compression import is_compressed, plain
from node.outbound.destination import OnStored, OutgoingObject, require_stored

_JSON = "application/dicom+json"
_FAILED_SOP_SEQUENCE = "00081198"
_REFERENCED_SOP_SEQUENCE = "00081199"
_REFERENCED_SOP_INSTANCE_UID = "00081155"
_WARNING_REASON = "00081196"
_FAILURE_REASON = "00081197"
_PROCESSING_FAILURE = 0x0110
_ONE_PIECE = 2**40  # bytes; dicomweb-client would send longer bodies in chunks, which PACS refuse
_UNREADABLE = (
    requests.exceptions.InvalidJSONError,
    ParseError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What an answer that is no Store Instances Response Module makes its readers raise."""
_TRY_AGAIN = frozenset({408, 429})
_ABOUT_THE_OBJECT = frozenset({400, 406, 409, 413, 415, 422, 500, 501})
"""Answers that an object may cause, by its content, its size or its encoding."""
_NO_SEARCH_HERE = frozenset({405, 501})

Answer = Mapping[str, Any]
"""A Store Instances Response Module as DICOM JSON (PS3.18 annex F)."""


class DicomwebService:
    """One DICOMweb origin server."""

    def __init__(self, config: DicomwebDestination) -> None:
        self._config = config

    def send(self, objects: Sequence[OutgoingObject], on_stored: OnStored) -> None:
        """Store the objects one by one, each with its own answer read.

        Nothing is negotiated here: what is refused as it is stored is sent once more uncompressed,
        and so is then all that follows.
        """
        as_stored = self._config.compressed
        with self._session() as session:
            for each in objects:
                dataset, status = each.read(), None
                if as_stored and is_compressed(dataset):
                    status = self._store_compressed(session, each, dataset)
                    as_stored = status is not None
                if status is None:
                    status = self._store(session, each, plain(dataset))
                on_stored(each, status)

    def verify(self) -> None:
        """A search for one study is answered; servers that only store may refuse to search."""
        with self._session() as session:
            try:
                answer = session.get(
                    f"{self._config.url.rstrip('/')}/studies",
                    params={"limit": "1"},
                    headers={"Accept": _JSON},
                    timeout=self._config.timeout_s,
                    stream=True,
                )
            except requests.RequestException as error:
                raise self._unanswered(error) from error
            with answer:
                if answer.status_code not in _NO_SEARCH_HERE:
                    self._require_ok(answer)

    def _store_compressed(
        self, session: requests.Session, sent: OutgoingObject, dataset: Dataset
    ) -> int | None:
        """The status of the object; None if it may be its encoding that is not wanted."""
        try:
            return self._store(session, sent, dataset)
        except VariantRejected:
            raise
        except (DestinationRefused, DestinationUnreachable) as error:
            if error.sop_instance_uid is None:
                raise
            return None

    def _store(self, session: requests.Session, sent: OutgoingObject, dataset: Dataset) -> int:
        received: list[requests.Response] = []
        session.hooks["response"] = [lambda response, **_: received.append(response)]
        client = DICOMwebClient(
            self._config.url.rstrip("/"),
            session=session,
            headers={"Accept": _JSON},
            chunk_size=_ONE_PIECE,
            timeout=self._config.timeout_s,
        )
        client.set_http_retry_params(retry=False)
        try:
            decoded = client.store_instances([dataset])
            return _status(received[-1], decoded.to_json_dict(), sent)
        except requests.HTTPError as error:
            self._require_named_failure(received[-1], sent)
            self._require_ok(received[-1], sent)
            raise DestinationRefused(f"answered HTTP {received[-1].status_code}") from error
        except _UNREADABLE as error:
            raise DestinationRefused(
                f"gave an answer that cannot be read ({type(error).__name__}); whether "
                f"{sent.sop_instance_uid} is stored is not known"
            ) from error
        except requests.RequestException as error:
            raise self._unanswered(error) from error

    def _require_named_failure(self, response: requests.Response, sent: OutgoingObject) -> None:
        """Raises the reason that an error answer names for this instance, if it names one."""
        reason = _failure(_json_of(response) or {}, sent)
        if reason is not None:
            require_stored(reason, sent, said=f"HTTP {response.status_code}")

    def _require_ok(self, response: requests.Response, sent: OutgoingObject | None = None) -> None:
        code = response.status_code
        if code < 400:
            return
        words = f"{self._config.url} answered HTTP {code} {response.reason}"
        about = sent.sop_instance_uid if sent and code in _ABOUT_THE_OBJECT else None
        if code >= 500 or code in _TRY_AGAIN:
            raise DestinationUnreachable(words, sop_instance_uid=about)
        raise DestinationRefused(words, sop_instance_uid=about)

    def _unanswered(self, error: requests.RequestException) -> Exception:
        words = f"{self._config.url}: {type(error).__name__}"
        if isinstance(error, requests.TooManyRedirects):
            return DestinationRefused(f"{words}; put the address that it redirects to into url")
        return DestinationUnreachable(words)

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.max_redirects = 0  # a redirected POST becomes a GET, which stores nothing
        session.verify = str(self._config.ca_file) if self._config.ca_file else True
        session.auth = _SecretHeaders(self._config.headers_file)
        return session


class _SecretHeaders(requests.auth.AuthBase):
    """Adds the lines of headers_file at the last moment, where no log sees them.

    The file is read for every send, so that a renewed token needs no restart.
    """

    def __init__(self, path: Path | None) -> None:
        self._headers = {} if path is None else read_headers(path)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Host", None)  # dicomweb-client sets one that lacks the port
        request.headers.update(self._headers)
        return request


def read_headers(path: Path) -> dict[str, str]:
    """The "Name: value" lines of a file; empty lines and # comments are skipped.

    Raises DestinationUnreachable if the file cannot be read now, ConfigError if a line is no
    header; neither quotes what stands there.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DestinationUnreachable(f"headers_file {path}: {type(error).__name__}") from error
    headers = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ConfigError(f"headers_file {path}, line {number}: expected 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers


def _status(response: requests.Response, decoded: Answer, sent: OutgoingObject) -> int:
    """The status of this instance in an answer of the 200 family; raises if it failed.

    An empty body counts as stored with 200 alone: 202 means that something went wrong.
    """
    if not response.content and response.status_code == 200:
        return 0x0000
    answer = _json_of(response) or decoded
    reason = _failure(answer, sent)
    if reason is not None:
        require_stored(reason, sent, said=f"HTTP {response.status_code}")
        return reason
    item = _item_of(answer, _REFERENCED_SOP_SEQUENCE, sent)
    if item is None:
        raise DestinationRefused(
            f"answered HTTP {response.status_code} without saying that "
            f"{sent.sop_instance_uid} is stored"
        )
    return _number(item, _WARNING_REASON) or 0x0000


def _failure(answer: Answer, sent: OutgoingObject) -> int | None:
    item = _item_of(answer, _FAILED_SOP_SEQUENCE, sent)
    if item is None:
        return None
    return _number(item, _FAILURE_REASON) or _PROCESSING_FAILURE


def _item_of(answer: Answer, sequence: str, sent: OutgoingObject) -> Answer | None:
    """The item about this instance; failures that name no instance are about the only one sent."""
    items: list[Answer] = answer.get(sequence, {}).get("Value", [])
    for item in items:
        uid = item.get(_REFERENCED_SOP_INSTANCE_UID, {}).get("Value", [None])[0]
        if uid == sent.sop_instance_uid or (uid is None and sequence == _FAILED_SOP_SEQUENCE):
            return item
    return None


def _number(item: Answer, tag: str) -> int | None:
    values = item.get(tag, {}).get("Value", [])
    return int(values[0]) if values else None


def _json_of(response: requests.Response) -> Answer | None:
    """The body if it is one DICOM JSON object, whatever parameters its media type has."""
    if "json" not in response.headers.get("Content-Type", ""):
        return None
    try:
        body = response.json()
    except ValueError:
        return None
    if isinstance(body, list):
        body = body[0] if len(body) == 1 else None
    return body if isinstance(body, dict) else None
