"""DICOMweb (PS3.18): store, search, retrieve and work items, below /dicom-web."""

from starlette.routing import BaseRoute

from node.web.dicomweb import retrieve, search, store, workitems
from node.web.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """Every transaction that is spoken."""
    return [
        *store.routes(services),
        *search.routes(services),
        *retrieve.routes(services),
        *workitems.routes(services),
    ]
