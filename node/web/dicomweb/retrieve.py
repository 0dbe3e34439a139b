"""WADO-RS (PS3.18 10.4): what is here is retrieved."""

from starlette.routing import BaseRoute

from node.web.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """Its routes, relative to the base of the service."""
    del services
    return []
