"""Who may open an association; the answer to everybody else is the Standard's own reason."""

from node.config import ReceiverConfig
from node.inbound.dimse.upper_layer import Rejection
from node.inbound.peers import is_allowed

CALLED_AE_TITLE = Rejection(
    result=1, source=1, diagnostic=7, because="called AE title not recognised"
)
CALLING_AE_TITLE = Rejection(
    result=1, source=1, diagnostic=3, because="calling AE title not recognised"
)
PEER = Rejection(result=1, source=1, diagnostic=1, because="address not in allowed_peers")
LOCAL_LIMIT = Rejection(result=2, source=3, diagnostic=2, because="max_associations are open")
LIMIT_OF_ONE = Rejection(
    result=2, source=3, diagnostic=2, because="max_associations_of_one_peer are open"
)
IN_THE_CLEAR = Rejection(
    result=1, source=1, diagnostic=1, because="it spoke in the clear where TLS is spoken"
)
DRAINING = Rejection(result=2, source=3, diagnostic=1, because="this node is stopping")


def rejection_of(
    *,
    calling_ae: str,
    called_ae: str,
    peer: str,
    others_open: int,
    others_of_it: int = 0,
    config: ReceiverConfig,
) -> Rejection | None:
    """None for whoever may come in, else the reason; a list that is absent lets everyone pass.

    others_open  : associations that are open beside this one
    others_of_it : those of them whose peer has the same address
    """
    if not is_allowed(peer, config.allowed_peers):
        return PEER
    called = config.allowed_called_ae_titles
    if called is not None and called_ae.strip() not in called:
        return CALLED_AE_TITLE
    calling = config.allowed_calling_ae_titles
    if calling is not None and calling_ae.strip() not in calling:
        return CALLING_AE_TITLE
    if others_open >= config.max_associations:
        return LOCAL_LIMIT
    return LIMIT_OF_ONE if others_of_it >= config.most_of_one_peer else None
