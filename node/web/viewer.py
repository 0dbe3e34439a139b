"""OHIF on this node: the pages of @ohif/app, if they are given, shown what the node holds.

Its pages are built for the root of a server, and ask for their parts there; so they are served
beside the node's own, behind every other address.  Nothing of OHIF is shipped.
"""

import json
from collections.abc import Mapping

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from node.core.errors import ConfigError
from node.core.people import Role
from node.web.access.headers import OF_PAGES, Policy
from node.web.access.required import required
from node.web.services import Services

PATH = "/viewer"
_POLICY: Mapping[str, str] = {
    **OF_PAGES,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self' data:; "
        "connect-src 'self' blob: data:; worker-src 'self' blob:; object-src 'self' blob:; "
        "frame-src 'self' blob:; media-src 'self' blob:; manifest-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""OHIF is built with scripts in its page, and computes in workers; it asks nobody but this node."""


def routes(services: Services) -> list[BaseRoute]:
    """`/viewer` and OHIF's files; none without `web.ohif_directory`.  They have to come last.

    Raises ConfigError if the folder holds no such pages.
    """
    directory = services.config.web.ohif_directory
    if directory is None:
        return []
    first_page = directory / "index.html"
    if not first_page.is_file():
        raise ConfigError(
            f"web.ohif_directory: there is no index.html in {directory}; name the folder dist of "
            "@ohif/app"
        )

    @required(Role.VIEWER)
    def shown(request: Request) -> Response:
        del request
        return FileResponse(first_page, media_type="text/html")

    @required(Role.VIEWER)
    def configured(request: Request) -> Response:
        del request
        return Response(configuration(), media_type="text/javascript")

    inner: list[BaseRoute] = [
        Route(PATH, shown),
        Route(PATH + "/{rest:path}", shown),
        Route("/app-config.js", configured),
        Mount("/", StaticFiles(directory=directory)),
    ]
    return [Mount("/", routes=inner, middleware=[Middleware(Policy, _POLICY)])]


def link_of(services: Services, study: str) -> str:
    """Where the viewer shows the study; empty if there is none, or a proxy's path stands before."""
    web = services.config.web
    is_there = web.ohif_directory is not None and not web.root
    return f"{PATH}?StudyInstanceUIDs={study}" if is_there else ""


def configuration() -> str:
    """OHIF's app-config.js: one source of images, which is this node."""
    source = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "dicomweb",
        "configuration": {
            "friendlyName": "m3node",
            "name": "dicomweb",
            "qidoRoot": "/dicom-web",
            "wadoRoot": "/dicom-web",
            "qidoSupportsIncludeField": True,
            "imageRendering": "wadors",
            "thumbnailRendering": "wadors",
            "enableStudyLazyLoad": True,
            "supportsFuzzyMatching": False,
            "supportsWildcard": True,
            "omitQuotationForMultipartRequest": True,
            "bulkDataURI": {"enabled": True},
        },
    }
    said = {
        "routerBasename": None,
        "extensions": [],
        "modes": [],
        "showStudyList": False,
        "maxNumberOfWebWorkers": 2,
        "investigationalUseDialog": {"option": "always"},
        "defaultDataSourceName": "dicomweb",
        "dataSources": [source],
    }
    return f"window.config = {json.dumps(said)};\n"
