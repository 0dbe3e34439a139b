"""Who may open an association; the answer to everybody else is the Standard's own reason."""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from node.config import ReceiverConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21), and the words for the log."""

    result: int
    source: int
    diagnostic: int
    because: str


CALLED_AE_TITLE = Rejection(
    result=1, source=1, diagnostic=7, because="called AE title not recognised"
)
CALLING_AE_TITLE = Rejection(
    result=1, source=1, diagnostic=3, because="calling AE title not recognised"
)
PEER = Rejection(result=1, source=1, diagnostic=1, because="address not in allowed_peers")
LOCAL_LIMIT = Rejection(result=2, source=3, diagnostic=2, because="max_associations are open")
DRAINING = Rejection(result=2, source=3, diagnostic=1, because="this node is stopping")


def rejection_of(
    *, calling_ae: str, called_ae: str, peer: str, others_open: int, config: ReceiverConfig
) -> Rejection | None:
    """None for whoever may come in, else the reason; a list that is absent lets everyone pass.

    peer        : the sender's address; IPv4 in IPv6 form counts as IPv4
    others_open : associations that are open beside this one
    """
    if config.allowed_peers is not None:
        address = ip_address(peer.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if not any(address in network for network in config.allowed_peers):
            return PEER
    called = config.allowed_called_ae_titles
    if called is not None and called_ae.strip() not in called:
        return CALLED_AE_TITLE
    calling = config.allowed_calling_ae_titles
    if calling is not None and calling_ae.strip() not in calling:
        return CALLING_AE_TITLE
    if others_open >= config.max_associations:
        return LOCAL_LIMIT
    return None
