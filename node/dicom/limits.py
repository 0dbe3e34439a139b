"""What a connection may take, beside what is configured; CONFORMANCE.md names it."""

MAX_REQUEST_BYTES = 256 << 10
"""128 presentation contexts with 38 transfer syntaxes each fit into a quarter of it."""
LONGEST_NEGOTIATION_S = 30.0
"""From the connection to a whole request; less where the network timeout is less."""
LONGEST_HANDSHAKE_S = 10.0
"""Of TLS, from the connection to its end; less where the network timeout is less."""
TOLERANCE_BYTES = 1024
"""Some senders count a PDU's or a fragment's header otherwise."""
SLOWEST_BYTES_S = 8192
"""A link of 64 kbit/s; whoever is slower for long holds a place that others want."""
MOST_REQUESTS = 128
MOST_REQUESTS_OF_ONE = 32
"""Connections that have not asked for an association yet, in all and of one address."""
MOST_CONNECTIONS = 512
"""Of the web server."""
MOST_HEAD_BYTES = 64 << 10
"""Of one HTTP request."""
MOST_PARTS = 100_000
"""Of one request to store; more is no study."""
