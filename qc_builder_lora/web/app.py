"""The review page as an application: the list, one report, its file, and two decisions.

One script, for the keys of the blind review, and nothing from elsewhere. A stored report is served
byte for byte, without scripts, forms, network or an origin of its own: a model wrote part of what
is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from qc_builder_lora.errors import NotFound, QcLoraError, StoreUnavailable
from qc_builder_lora.records import Promotion
from qc_builder_lora.store import Store
from qc_builder_lora.web.decisions import Decisions, Promote, read_report
from qc_builder_lora.web.forms import read_form
from qc_builder_lora.web.guard import Guard, is_token, no_token
from qc_builder_lora.web.rating import Rating, plainly
from qc_builder_lora.web.views import Shown, Typed, Views, verdict_of

_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"
)


def build_app(
    store: Store, promote: Promote, *, token: str, host: str, shown: Shown | None = None
) -> ASGIApp:
    """The application for a store; `host` is where it listens, closing the store is the caller's.

    A GET needs the token in its query, a POST in its form. `shown` draws the answers of the blind
    review; by default as plain text.
    """
    views = Views(store, token)
    review = _Review(store, Decisions(store, promote), views, token)
    rating = Rating(store, views, token, shown or plainly())
    inner = Starlette(
        routes=[
            Route("/", review.listing),
            Route("/reports/{key}", review.report),
            Route("/reports/{key}/file", review.file),
            Route("/reports/{key}/promote", review.promote, methods=["POST"]),
            Route("/reports/{key}/reject", review.reject, methods=["POST"]),
            Route("/rollback", review.rollback, methods=["POST"]),
            Route("/review/{challenger}", rating.begin),
            Route("/review/{challenger}/{number:int}", rating.show),
            Route("/review/{challenger}/{number:int}", rating.rate, methods=["POST"]),
            Route("/review/{challenger}/{number:int}/plot.svg", rating.plot),
        ],
        exception_handlers={QcLoraError: review.failed, HTTPException: review.failed},
    )
    return Guard(inner, views, host, token)


class _Review:
    def __init__(self, store: Store, decisions: Decisions, views: Views, token: str) -> None:
        self._store = store
        self._decisions = decisions
        self._views = views
        self._token = token

    def listing(self, request: Request) -> Response:
        last = self._decisions.last()
        made = last if last and request.query_params.get("made") == last.id else None
        return HTMLResponse(self._views.listing(made=made))

    def report(self, request: Request) -> Response:
        verdict = verdict_of(self._store, request.path_params["key"])
        return HTMLResponse(self._views.report(verdict))

    def file(self, request: Request) -> Response:
        content = read_report(verdict_of(self._store, request.path_params["key"]))
        headers = {"content-security-policy": _REPORT_POLICY, "x-frame-options": "SAMEORIGIN"}
        return HTMLResponse(content, headers=headers)

    async def promote(self, request: Request) -> Response:
        form = await read_form(request)
        if not is_token(form.get("token", ""), self._token):
            return no_token(self._views)
        return await run_in_threadpool(self._promote, request.path_params["key"], form)

    async def reject(self, request: Request) -> Response:
        form = await read_form(request)
        if not is_token(form.get("token", ""), self._token):
            return no_token(self._views)
        return await run_in_threadpool(self._reject, request.path_params["key"], form)

    async def rollback(self, request: Request) -> Response:
        form = await read_form(request)
        if not is_token(form.get("token", ""), self._token):
            return no_token(self._views)
        return await run_in_threadpool(self._rollback, form)

    def failed(self, _: Request, error: Exception) -> Response:
        """Any other failure, as a page."""
        if isinstance(error, HTTPException):
            return HTMLResponse(
                self._views.notice(str(error.detail), f"{error.detail}: nothing was changed."),
                error.status_code,
                error.headers,
            )
        status = 404 if isinstance(error, NotFound) else 500
        if isinstance(error, StoreUnavailable):
            status = 503
        return HTMLResponse(self._views.notice("That did not work", str(error)), status)

    def _promote(self, key: str, form: dict[str, str]) -> Response:
        verdict = verdict_of(self._store, key)
        typed = _typed(form)

        def decide() -> Promotion:
            reason, seen = typed.reason or None, form.get("seen", "")
            return self._decisions.promote(verdict, typed.by, reason, seen)

        return self._decided(
            decide, lambda refusal: self._views.report(verdict, refusal=refusal, typed=typed)
        )

    def _reject(self, key: str, form: dict[str, str]) -> Response:
        verdict = verdict_of(self._store, key)
        typed = _typed(form)

        def decide() -> Promotion:
            seen = form.get("seen", "")
            return self._decisions.reject(verdict, typed.by, typed.reason or None, seen)

        return self._decided(
            decide, lambda refusal: self._views.report(verdict, refusal=refusal, typed=typed)
        )

    def _rollback(self, form: dict[str, str]) -> Response:
        typed = _typed(form)

        def decide() -> Promotion:
            return self._decisions.rollback(typed.by, typed.reason or None, form.get("seen", ""))

        return self._decided(
            decide, lambda refusal: self._views.listing(refusal=refusal, typed=typed)
        )

    def _decided(self, decide: Callable[[], Promotion], again: Callable[[str], str]) -> Response:
        try:
            made = decide()
        except QcLoraError as error:
            return HTMLResponse(again(str(error)), 409)
        # A redirect, so that reloading what comes next decides nothing.
        return RedirectResponse("/?" + urlencode({"token": self._token, "made": made.id}), 303)


def _typed(form: dict[str, str]) -> Typed:
    reason = form.get("reason", "").replace("\r\n", "\n").strip()
    return Typed(form.get("by", "").strip(), reason)
