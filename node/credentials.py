"""Secrets: passwords are hashed slowly, tokens are drawn and digested; neither is kept itself.

A token has 256 bits of chance, so that a fast digest keeps it; a password is chosen by a person, so
that every guess has to cost (argon2id with the parameters of RFC 9106, section 4).
"""

import hashlib
import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from node.core.errors import Unsuitable
from node.core.people import name_key

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024
TOKEN_PURPOSE = "token"
SESSION_PURPOSE = "session"
TOKEN_PREFIX = "m3n_"  # by which a leaked one is recognised


def checked_password(password: str, *, name: str) -> str:
    """The password, if it is one.  Raises Unsuitable."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Unsuitable(
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; "
            "a sentence is best"
        )
    if len(set(password)) < 4 or name_key(name) in name_key(password):
        raise Unsuitable("this password is guessed at once; a sentence is best, without the name")
    return password


def hashed(password: str) -> str:
    """What is kept of a password."""
    return _hasher().hash(_bytes_of(password))


def is_password(password: str, kept: str | None) -> bool:
    """Whether it is the password of which that is kept; takes as long where nothing is kept."""
    too_long = len(password) > LONGEST_PASSWORD
    try:
        right = _hasher().verify(
            _of_nobody() if kept is None else kept, b"" if too_long else _bytes_of(password)
        )
    except (VerificationError, InvalidHashError):
        return False
    return right and kept is not None and not too_long


def drawn_token() -> str:
    """A new secret: for a cookie, or, with `TOKEN_PREFIX` before it, for a machine."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str, *, purpose: str) -> str:
    """What is kept of a token, or derived of it; of two purposes neither tells the other."""
    return hashlib.sha256(f"m3node {purpose}\0{secret}".encode()).hexdigest()


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _of_nobody() -> str:
    """A hash that no password has been asked for."""
    return _hasher().hash(secrets.token_bytes(32))


def _bytes_of(password: str) -> bytes:
    """One form of Unicode: keyboards differ in how they compose (NIST SP 800-63B 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
