"""How often a log-in may be tried: by name, and by the address from where.

Each has a bucket of tries that fills up again with time; a try that succeeds is given back.  Nobody
is locked out for good by others' guessing: what strangers try on a name costs nothing where its
user has logged in before, and the bucket of a name never stays empty for longer than it takes to
fill up by one.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """So many tries at once, and then one more every so often."""

    tries: int
    every_s: float


OF_ADDRESS = Bucket(tries=10, every_s=30.0)
OF_NAME = Bucket(tries=20, every_s=15.0)
MOST_REMEMBERED = 10_000
"""Names and addresses; the ones that were tried longest ago are forgotten first."""


class Attempts:
    """Counts tries; any number of threads share one.  Times are of a monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def take(self, *, name: str, address: str, is_known_place: bool, now_s: float) -> float:
        """A try is taken, and 0 returned; or none is, and in so many seconds there is one.

        is_known_place : the user of that name has logged in from there before
        """
        keys = _keys(name, address, is_known_place=is_known_place)
        with self._lock:
            wait_s = max(self._wait_s(key, bucket, now_s) for key, bucket in keys)
            if wait_s == 0:
                for key, bucket in keys:
                    self._add(key, bucket.every_s, now_s)
        return wait_s

    def give_back(self, *, name: str, address: str, is_known_place: bool, now_s: float) -> None:
        """The try has succeeded, and counts for nothing."""
        with self._lock:
            for key, bucket in _keys(name, address, is_known_place=is_known_place):
                self._add(key, -bucket.every_s, now_s)

    def _wait_s(self, key: tuple[str, str], bucket: Bucket, now_s: float) -> float:
        """Until there is a try in the bucket."""
        missing_s = max(0.0, self._full_at.get(key, now_s) - now_s)
        return max(0.0, missing_s - (bucket.tries - 1) * bucket.every_s)

    def _add(self, key: tuple[str, str], seconds: float, now_s: float) -> None:
        self._full_at[key] = max(now_s, self._full_at.get(key, now_s)) + seconds
        self._full_at.move_to_end(key)
        if len(self._full_at) > MOST_REMEMBERED:
            self._full_at.popitem(last=False)


def _keys(name: str, address: str, *, is_known_place: bool) -> list[tuple[tuple[str, str], Bucket]]:
    """Whose buckets a try is taken of."""
    place = _place(address)
    if is_known_place:
        # Its own, so that neighbours who guess do not use up the user's tries.
        return [((name, place), OF_ADDRESS)]
    return [(("", place), OF_ADDRESS), ((name, ""), OF_NAME)]


def _place(address: str) -> str:
    """Of IPv6 the network of 64 bits: all of it is one customer's."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ip_network((ip, 64), strict=False))
    return str(ip)
