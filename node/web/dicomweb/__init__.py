"""DICOMweb (PS3.18): store, search and retrieve, below /dicom-web."""

from starlette.routing import BaseRoute

from node.web.dicomweb import retrieve, search, store
from node.web.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """Every transaction that is spoken."""
    return [*store.routes(services), *search.routes(services), *retrieve.routes(services)]
