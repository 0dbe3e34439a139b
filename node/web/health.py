"""Whether the node is alive, and whether it can do its work: for a load balancer, or a monitor."""

from http import HTTPStatus

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from node.core.errors import Refused
from node.web.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """`/healthz`: the web process answers.  `/readyz`: an object that came now would be kept."""

    def alive(request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})

    def ready(request: Request) -> Response:
        del request
        amiss = _amiss(services)
        status = HTTPStatus.SERVICE_UNAVAILABLE if amiss else HTTPStatus.OK
        return JSONResponse({"status": "not ready" if amiss else "ok", "amiss": amiss}, status)

    return [Route("/healthz", alive), Route("/readyz", ready)]


def _amiss(services: Services) -> list[str]:
    amiss = []
    try:
        services.store.counts()
    except SQLAlchemyError:
        amiss.append("the database does not answer")
    try:
        services.intake.require_space()
    except Refused as refused:
        amiss.append(refused.comment)
    except OSError:
        amiss.append("the storage directory cannot be read")
    return amiss
