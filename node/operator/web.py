"""What `m3node check` says of the web server: its port, its certificate, and who reads what."""

import http.client
import json
import ssl
from collections.abc import Callable, Iterator

from node.config import WebConfig
from node.config.section import own_address
from node.dicom import tls
from node.operator.certificates import valid
from node.operator.findings import Finding, fail, ok, warn

_WHAT = "web"
_TIMEOUT_S = 5.0
_MOST_SAID = 1 << 20


def web_server(
    config: WebConfig, port_is_free: Callable[[str, int], bool], *, runs: Callable[[], bool]
) -> Iterator[Finding]:
    """Nothing where it is not enabled; raises ConfigError if the host is not this machine's.

    runs : whether this node does, and not another that would answer as it does
    """
    if not config.enabled:
        return
    place = f"{config.host}:{config.port}"
    if port_is_free(config.host, config.port):
        yield ok(_WHAT, f"{place} is free to listen on")
    elif runs() and _is_served(config):
        yield ok(_WHAT, f"{place} is served already: /healthz answers")
    else:
        yield fail(
            _WHAT,
            f"{place} is taken by something else: there is no DICOMweb until that is stopped or "
            "another web.port is chosen; everything else runs",
        )
    if config.certificate_file is not None:
        own = tls.own_certificate(config.certificate_file, config.key_file, of="server")
        yield valid(_WHAT, str(config.certificate_file), own)
    if config.is_loopback:
        return
    if config.certificate_file is None:
        yield warn(
            _WHAT, "is served without TLS: passwords and patients' images travel in the clear"
        )


def _is_served(config: WebConfig) -> bool:
    """Whether a web server answers there as this node's does."""
    host = own_address(config.host)
    if config.certificate_file is None:
        connection = http.client.HTTPConnection(host, config.port, timeout=_TIMEOUT_S)
    else:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is asked who it is
        connection = http.client.HTTPSConnection(
            host, config.port, timeout=_TIMEOUT_S, context=context
        )
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        said = json.loads(answer.read(_MOST_SAID))
        return (
            answer.status == 200 and isinstance(said, dict) and {"status", "signs"} <= said.keys()
        )
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
