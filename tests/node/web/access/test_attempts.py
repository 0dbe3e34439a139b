"""Guessing is slow, and honest users are not locked out by it."""

from node.web.access.attempts import MOST_REMEMBERED, Attempts


def tried(
    attempts: Attempts,
    *,
    name: str = "anna",
    address: str = "10.0.0.1",
    at: float = 0.0,
    known: bool = False,
) -> float:
    return attempts.take(name=name, address=address, is_known_place=known, now_s=at)


def test_an_address_has_ten_tries_and_then_one_every_half_minute() -> None:
    attempts = Attempts()
    assert [tried(attempts, name=f"user{n}") for n in range(10)] == [0] * 10
    assert tried(attempts, name="another") == 30
    assert tried(attempts, name="another", at=29) == 1
    assert tried(attempts, name="another", at=30) == 0
    assert tried(attempts, name="another", at=30) == 30
    assert tried(attempts, name="another", address="10.0.0.2", at=30) == 0


def test_a_name_has_twenty_tries_from_wherever() -> None:
    attempts = Attempts()
    for n in range(20):
        assert tried(attempts, address=f"10.0.1.{n}") == 0
    assert tried(attempts, address="10.0.2.1") == 15
    assert tried(attempts, name="bob", address="10.0.2.1") == 0


def test_whoever_comes_from_a_known_place_is_let_in_while_strangers_guess() -> None:
    attempts = Attempts()
    for n in range(40):
        tried(attempts, address=f"10.0.1.{n}")
    assert tried(attempts, address="10.0.9.9") > 0
    assert tried(attempts, address="10.0.0.7", known=True) == 0


def test_neighbours_behind_one_address_do_not_use_up_the_tries_of_a_known_user() -> None:
    attempts = Attempts()
    for n in range(30):
        tried(attempts, name=f"user{n}", address="10.0.0.1")
    assert tried(attempts, name="stranger", address="10.0.0.1") > 0
    assert tried(attempts, name="anna", address="10.0.0.1", known=True) == 0


def test_a_known_place_is_no_licence_to_guess() -> None:
    attempts = Attempts()
    assert [tried(attempts, known=True) for _ in range(10)] == [0] * 10
    assert tried(attempts, known=True) == 30


def test_a_refused_try_does_not_make_the_wait_longer() -> None:
    attempts = Attempts()
    for _ in range(1000):
        tried(attempts)
    assert tried(attempts) == 30
    assert tried(attempts, at=30) == 0


def test_a_try_that_succeeds_counts_for_nothing() -> None:
    attempts = Attempts()
    for _ in range(50):
        assert tried(attempts) == 0
        attempts.give_back(name="anna", address="10.0.0.1", is_known_place=False, now_s=0)
    assert [tried(attempts) for _ in range(11)] == [*[0] * 10, 30]


def test_of_ipv6_the_network_counts_and_of_mapped_addresses_the_ipv4() -> None:
    attempts = Attempts()
    for n in range(10):
        assert tried(attempts, name=f"user{n}", address=f"2001:db8::{n}") == 0
    assert tried(attempts, name="x", address="2001:db8::ffff") == 30
    assert tried(attempts, name="x", address="2001:db8:0:1::1") == 0
    for n in range(10):
        tried(attempts, name=f"user{n}", address="::ffff:10.0.0.1")
    assert tried(attempts, name="x", address="10.0.0.1") == 30


def test_what_is_remembered_is_bounded() -> None:
    attempts = Attempts()
    for n in range(MOST_REMEMBERED):
        tried(attempts, name=f"user{n}", address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(attempts._full_at) == MOST_REMEMBERED
