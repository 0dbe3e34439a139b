"""Users, tokens and sessions, on both kinds of database."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from node.core.errors import NotAllowed, UnknownEntry
from node.core.people import Role
from node.persistence.people import AccountKind, AccountRow
from node.persistence.store import Store, open_store
from tests.node.persistence.filling import NOON

IDLE = timedelta(minutes=30)
DAY = timedelta(hours=12)
USER, TOKEN = AccountKind.USER, AccountKind.TOKEN


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


def anna(store: Store, *, role: Role = Role.OPERATOR) -> AccountRow:
    store.add_account(USER, "Anna", role=role, secret="hash", now=NOON)
    found = store.user_of_name("ANNA")
    assert found is not None
    return found


def log_in(store: Store, user: AccountRow, digest: str = "d") -> None:
    store.open_session(user, digest, address="10.0.0.1", now=NOON, ends_at=NOON + DAY)


def holder(store: Store, digest: str = "d", **after: float) -> AccountRow | None:
    found = store.holder_of_session(digest, now=NOON + timedelta(**after), idle=IDLE)
    return None if found is None else found[0]


def test_nobody_has_to_log_in_until_there_is_a_user(store: Store) -> None:
    store.add_account(TOKEN, "orthanc", role=Role.SENDER, secret="t", now=NOON)
    assert not store.has_users()
    anna(store)
    assert store.has_users()
    store.remove_account(USER, "anna", now=NOON)
    assert not store.has_users()


def test_a_name_is_one_persons_however_it_is_spelt_and_of_a_token_too(store: Store) -> None:
    anna(store)
    for kind, name in ((USER, "ANNA"), (TOKEN, "anna"), (USER, "\uff21nna")):
        with pytest.raises(NotAllowed, match="already"):
            store.add_account(kind, name, role=Role.VIEWER, secret="other", now=NOON)
    assert [(row.name, row.role) for row in store.accounts(USER)] == [("Anna", Role.OPERATOR)]
    with pytest.raises(UnknownEntry, match="m3node token list"):
        store.remove_account(TOKEN, "anna", now=NOON)


def test_a_session_ends_when_nothing_is_asked_for_and_in_any_case(store: Store) -> None:
    log_in(store, anna(store))
    assert holder(store, minutes=29) is not None
    assert holder(store, minutes=30) is None
    for minutes in range(20, 24 * 60, 20):
        now = NOON + timedelta(minutes=minutes)
        store.session_seen("d", before=NOON, now=now)
        assert (holder(store, minutes=minutes) is not None) == (minutes < 12 * 60)


def test_when_a_user_was_seen_is_written_once_a_minute(store: Store) -> None:
    log_in(store, anna(store))
    store.session_seen("d", before=NOON, now=NOON + timedelta(seconds=59))
    assert store.holder_of_session("d", now=NOON, idle=IDLE) == (store.user_of_name("anna"), NOON)


def test_another_role_counts_at_once_and_who_gave_it_is_kept(store: Store) -> None:
    log_in(store, anna(store))
    assert not store.set_role("ANNA", Role.OPERATOR, now=NOON, by="root")
    assert holder(store) is not None, "nothing has changed"
    assert store.has_operator()
    assert store.set_role("ANNA", Role.VIEWER, now=NOON, by="root")
    assert not store.has_operator()
    assert holder(store) is None
    user = store.user_of_name("anna")
    assert user is not None
    assert user.role is Role.VIEWER
    log_in(store, user, "d2")
    assert holder(store, "d2") == user
    with pytest.raises(UnknownEntry, match="m3node user list"):
        store.set_role("bob", Role.VIEWER, now=NOON)
    store.set_password("anna", "hash 2", now=NOON, by="carl")
    store.remove_account(USER, "anna", now=NOON, by="carl")
    assert [(row.by, row.name, row.did.value, row.role) for row in store.account_changes()] == [
        ("carl", "Anna", "removed", None),
        ("carl", "Anna", "new password", None),
        ("root", "Anna", "new role", Role.VIEWER),
        ("an administrator", "Anna", "added", Role.OPERATOR),
    ]


def test_a_session_is_over_after_logging_out_a_new_password_and_removal(store: Store) -> None:
    user = anna(store)
    log_in(store, user)
    assert holder(store, "D") is None
    store.end_session("d", now=NOON)
    assert holder(store) is None
    log_in(store, user, "d2")
    store.set_password("anna", "hash 2", now=NOON)
    assert holder(store, "d2") is None
    with pytest.raises(NotAllowed):  # the old password was found right just before
        log_in(store, user, "d3")
    again = store.user_of_name("anna")
    assert again is not None
    log_in(store, again, "d4")
    store.remove_account(USER, "anna", now=NOON)
    assert holder(store, "d4") is None
    store.add_account(USER, "Anna", role=Role.OPERATOR, secret="hash", now=NOON)
    assert holder(store, "d4") is None


def test_a_token_is_of_use_until_it_ends_or_is_removed(store: Store) -> None:
    ends = NOON + timedelta(days=1)
    store.add_account(TOKEN, "pacs", role=Role.SENDER, secret="t", now=NOON, ends_at=ends)
    row = store.holder_of_token("t", now=ends - timedelta(seconds=1))
    assert row is not None
    assert row.role is Role.SENDER
    assert store.holder_of_token("t", now=ends) is None
    assert store.holder_of_token("hash", now=NOON) is None
    store.token_used(row, now=NOON)
    assert store.accounts(TOKEN)[0].used_at == NOON
    store.remove_account(TOKEN, "PACS", now=NOON)
    assert store.holder_of_token("t", now=NOON) is None


def test_what_is_kept_of_a_users_password_is_no_token(store: Store) -> None:
    anna(store)
    assert store.holder_of_token("hash", now=NOON) is None


def test_from_where_a_user_comes_is_remembered_for_a_month(store: Store) -> None:
    user = anna(store)
    assert not store.has_come_from("anna", "10.0.0.1")
    log_in(store, user)
    store.end_session("d", now=NOON)
    assert store.has_come_from("ANNA", "10.0.0.1")
    assert not store.has_come_from("anna", "10.0.0.2")
    assert not store.has_come_from("bob", "10.0.0.1")
    later = NOON + DAY + timedelta(days=30, seconds=1)
    store.open_session(user, "new", address="10.0.0.2", now=later, ends_at=later + DAY)
    assert not store.has_come_from("anna", "10.0.0.1")


def test_users_without_a_password_may_be_many(store: Store) -> None:
    for name in ("anna", "bob"):
        store.add_account(USER, name, role=Role.VIEWER, secret=None, now=NOON)
    assert len(store.accounts(USER)) == 2
