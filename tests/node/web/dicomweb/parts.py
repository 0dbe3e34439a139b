"""The parts of a multipart answer, taken apart by the letter of RFC 2046."""

import re

import requests


def parts_of(answer: requests.Response) -> list[tuple[dict[str, str], bytes]]:
    """Headers, by lower-case name, and content of each part; every byte is accounted for."""
    boundary = re.search(r"; boundary=([0-9a-f]{32})$", answer.headers["Content-Type"])
    assert boundary, answer.headers["Content-Type"]
    first, *parts, last = answer.content.split(b"--" + boundary[1].encode())
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for part in parts:
        assert (part[:2], part[-2:]) == (b"\r\n", b"\r\n")
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode("ascii").split("\r\n")]
        headers = {name.lower(): value for name, value in lines}
        assert headers.get("content-length", str(len(content))) == str(len(content))
        found.append((headers, content))
    return found
