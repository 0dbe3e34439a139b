"""A password at the command line: from a prompt, or from standard input, and never an argument."""

import sys

import click

from node.core.errors import Unsuitable
from node.credentials import checked_password

_MOST_BYTES = 8192


def asked_password(name: str) -> str:
    """The password, typed twice, or the first line of standard input.  Raises Unsuitable."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return checked_password(password, name=name)
    try:
        line = sys.stdin.buffer.readline(_MOST_BYTES).decode()
    except UnicodeDecodeError:
        raise Unsuitable("the password on standard input is no UTF-8") from None
    password = line.rstrip("\r\n")
    if not password:
        raise Unsuitable("there is no password: type it, or send it on standard input")
    return checked_password(password, name=name)
