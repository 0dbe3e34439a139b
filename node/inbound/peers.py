"""Which addresses may come, over DIMSE and over HTTP."""

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address


def is_allowed(peer: str, networks: Collection[IPv4Network | IPv6Network] | None) -> bool:
    """Whether the address is in one of the networks, or there is no list of them.

    IPv4 in IPv6 form counts as IPv4.
    """
    if networks is None:
        return True
    address = ip_address(peer.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
