"""Sources, from which what is missing of a study is fetched, and the process that fetches."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from node.config.peers import DimsePeer, WebPeer
from node.config.section import Attempts, Lease, Seconds, Section
from node.core.retry import FailureKind, RetryPolicy


class PullConfig(Section):
    """The process that fetches what is missing of a study from [[sources]]. While a study is being
    fetched it waits."""

    lease_s: Lease = 45.0
    """A puller that is silent for so long loses its fetch to the next; at most 60."""
    max_attempts: Attempts = 5
    """After so many attempts a fetch is dead, and the study goes on without it."""
    retry_base_s: Seconds = 5.0
    """First pause between attempts; doubled each time, with jitter."""
    retry_cap_s: Seconds = 120.0
    """Longest pause between attempts."""
    max_fetches: Annotated[int, Field(ge=1)] = 10
    """Most fetches that a study gets by itself, from all sources together. `m3node fetch` asks for
    more."""
    poll_s: Seconds = 0.5
    """How often an idle puller looks for something to fetch."""

    @property
    def retry_policies(self) -> Mapping[FailureKind, RetryPolicy]:
        """The pauses after each kind of failure that is tried again: all alike, a study waits."""
        policy = RetryPolicy(base_s=self.retry_base_s, cap_s=self.retry_cap_s)
        return {FailureKind.TRANSIENT: policy, FailureKind.PASSING: policy}


class DimseSource(DimsePeer):
    """A PACS that is asked over C-FIND and gives over C-GET or C-MOVE."""

    kind: Literal["dimse"] = "dimse"
    """Study Root Query/Retrieve."""
    retrieve: Literal["get", "move"] = "get"
    """"get": over the association on which it is asked; "move": it sends to calling_ae_title, so it
    has to know host and port of this node under that title, and receiver must let it in."""


class DicomwebSource(WebPeer):
    """A PACS that is asked over QIDO-RS and gives over WADO-RS."""

    kind: Literal["dicomweb"] = "dicomweb"
    """QIDO-RS and WADO-RS."""


SourceConfig = Annotated[DimseSource | DicomwebSource, Field(discriminator="kind")]
