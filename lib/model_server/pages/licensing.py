"""The page of the license key."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_server.api import licenses, services
from model_server.api.envelope import ApiError
from model_server.license import NO_KEY
from model_server.pages.render import page


async def form(request: Request) -> Response:
    return await _answer(request, 200, None)


async def take_key(request: Request) -> Response:
    try:
        await licenses.apply_key(request, await licenses.key_of_form(request))
    except ApiError as error:
        return await _answer(request, error.status, error.message)
    return await _answer(request, 200, None, accepted=True)


def license_of(request: Request) -> tuple[str, str | None]:
    licensing = services.of(request).licensing
    if licensing is None:
        return NO_KEY, None
    found = licensing.current()
    return (NO_KEY if found is None else str(found)), licensing.problem()


async def _answer(request: Request, status: int, error: str | None, accepted: bool = False) -> Response:
    text, problem = await run_in_threadpool(license_of, request)
    return page(
        request,
        "license.html",
        status,
        tab="license",
        license=text,
        problem=problem,
        error=error,
        accepted=accepted,
    )


ROUTES = [
    Route("/License", form, methods=["GET"]),
    Route("/License", take_key, methods=["POST"]),
]
