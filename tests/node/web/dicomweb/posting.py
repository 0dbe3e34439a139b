"""Bodies to store, as clients write them."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import requests
from pydicom import Dataset, dcmwrite

from tests.node.objects import ct_image
from tests.node.web.serving import Served

BOUNDARY = "0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1"
MULTIPART = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'


def part10(dataset: Dataset) -> bytes:
    """The object as a file."""
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def image(number: int, **changed: object) -> bytes:
    """One slice as a file."""
    return part10(ct_image(number, **changed))


def multipart(
    contents: Sequence[bytes],
    *,
    end: bytes = b"\r\n",
    type: str | None = "application/dicom",
    boundary: str = BOUNDARY,
) -> bytes:
    """The contents as parts."""
    opening = b"--" + boundary.encode() + end
    header = b"" if type is None else b"Content-Type: " + type.encode() + end
    parts = [opening + header + end + content + end for content in contents]
    return b"".join(parts) + b"--" + boundary.encode() + b"--" + end


def post(
    served: Served,
    body: bytes | Iterator[bytes],
    path: str = "/studies",
    content_type: str | None = MULTIPART,
    **headers: str,
) -> requests.Response:
    """The answer to a request to store."""
    if content_type is not None:
        headers["Content-Type"] = content_type
    return requests.post(served.url + path, data=body, headers=headers, timeout=60)


def stored(answer: requests.Response) -> list[str]:
    """The SOP Instance UIDs that it says are stored."""
    return [_value(item, "00081155") for item in _items(answer, "00081199")]


def failed(answer: requests.Response) -> dict[str, str]:
    """SOP Instance UID -> Failure Reason, in hexadecimal; "" for all that name none."""
    items = [*_items(answer, "00081198"), *_items(answer, "0008119A")]
    return {_value(item, "00081155"): f"{_value(item, '00081197'):04X}" for item in items}


def _items(answer: requests.Response, tag: str) -> list[dict[str, Any]]:
    return answer.json().get(tag, {}).get("Value", [])


def _value(item: dict[str, Any], tag: str) -> Any:
    return item.get(tag, {"Value": [""]})["Value"][0]
