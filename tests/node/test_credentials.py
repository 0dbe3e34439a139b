"""What is kept of secrets, and which passwords are none."""

import time

import pytest

from node.core.errors import Unsuitable
from node.credentials import checked_password, digest_of, drawn_token, hashed, is_password

GOOD = "correct horse battery"


def test_a_password_is_kept_as_argon2id_and_never_the_same_twice() -> None:
    kept = hashed(GOOD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert GOOD not in kept
    assert kept != hashed(GOOD)
    assert is_password(GOOD, kept)
    for other in (GOOD + " ", "a" * 5000):
        assert not is_password(other, kept)


def test_keyboards_may_compose_letters_as_they_like() -> None:
    assert is_password("Gr\u00fc\u00dfe aus Köln", hashed("Gru\u0308\u00dfe aus Ko\u0308ln"))


def test_what_is_no_hash_lets_nobody_in() -> None:
    for kept in ("", "plain", "$argon2id$broken", GOOD):
        assert not is_password(GOOD, kept)


def test_a_name_that_nobody_has_costs_as_much_as_one_that_somebody_has() -> None:
    kept = hashed(GOOD)
    is_password("", None)

    def seconds(of: str | None) -> float:
        begun = time.process_time()
        assert not is_password("wrong", of)
        return time.process_time() - begun

    assert 0.3 < seconds(None) / seconds(kept) < 3


@pytest.mark.parametrize(
    "password", ["", "short", "elevenchars", "a" * 1025, "aaaaaaaaaaaa", "abababababab", "ANNA" * 4]
)
def test_what_is_guessed_at_once_is_no_password(password: str) -> None:
    with pytest.raises(Unsuitable) as refused:
        checked_password(password, name="anna")
    assert not password or password not in str(refused.value)
    assert checked_password("twelve chars", name="anna") == "twelve chars"


def test_tokens_differ_and_no_digest_tells_another() -> None:
    tokens = {drawn_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}
    (token, *_) = tokens
    digests = {digest_of(token, purpose=purpose) for purpose in ("session", "token", "csrf")}
    assert len(digests) == 3
    assert all(token not in digest for digest in digests)
