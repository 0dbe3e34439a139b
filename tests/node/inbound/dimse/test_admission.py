"""Who may come in, and the reason that the others are told (PS3.8 table 9-21)."""

from ipaddress import ip_network

from node.config import ReceiverConfig
from node.inbound.dimse.admission import Rejection, rejection_of


def ask(
    config: ReceiverConfig,
    *,
    calling_ae: str = "CT1",
    called_ae: str = "M3NODE",
    peer: str = "10.1.2.3",
    others_open: int = 0,
    others_of_it: int = 0,
) -> tuple[int, int, int] | None:
    answer: Rejection | None = rejection_of(
        calling_ae=calling_ae,
        called_ae=called_ae,
        peer=peer,
        others_open=others_open,
        others_of_it=others_of_it,
        config=config,
    )
    return answer and (answer.result, answer.source, answer.diagnostic)


def test_without_lists_everyone_may_come_in() -> None:
    assert ask(ReceiverConfig(), called_ae="ANYTHING", calling_ae="ANYBODY") is None


def test_a_called_title_off_the_list_is_not_recognised() -> None:
    config = ReceiverConfig(allowed_called_ae_titles=("M3NODE",))
    assert ask(config, called_ae="OTHER") == (1, 1, 7)
    assert ask(config, called_ae="M3NODE ") is None


def test_a_calling_title_off_the_list_is_not_recognised() -> None:
    config = ReceiverConfig(allowed_calling_ae_titles=("CT1", "PACS"))
    assert ask(config, calling_ae="CT2") == (1, 1, 3)
    assert ask(config, calling_ae="PACS") is None


def test_an_address_outside_the_networks_gets_no_reason() -> None:
    config = ReceiverConfig(allowed_peers=(ip_network("10.1.0.0/16"), ip_network("::1")))
    assert ask(config, peer="10.2.0.1") == (1, 1, 1)
    assert ask(config, peer="10.1.255.7") is None
    assert ask(config, peer="::ffff:10.1.0.9") is None
    assert ask(config, peer="::1") is None
    assert ask(config, peer="fe80::1%eth0") == (1, 1, 1)


def test_an_empty_list_lets_nobody_in() -> None:
    assert ask(ReceiverConfig(allowed_calling_ae_titles=())) == (1, 1, 3)


def test_one_association_too_many_is_a_transient_rejection() -> None:
    config = ReceiverConfig(max_associations=2)
    assert ask(config, others_open=1) is None
    assert ask(config, others_open=2) == (2, 3, 2)


def test_one_address_leaves_a_quarter_to_the_others_unless_it_is_told_otherwise() -> None:
    for settings, most in (
        ({}, 24),
        ({"max_associations": 1}, 1),
        ({"max_associations": 2}, 2),
        ({"max_associations": 6}, 5),
        ({"max_associations_of_one_peer": 32}, 32),
        ({"max_associations_of_one_peer": 3}, 3),
    ):
        config = ReceiverConfig(**settings)
        assert config.most_of_one_peer == most
        assert ask(config, others_open=most - 1, others_of_it=most - 1) is None
        if most < config.max_associations:
            assert ask(config, others_open=most, others_of_it=most) == (2, 3, 2)
            assert ask(config, others_open=most, others_of_it=0) is None
