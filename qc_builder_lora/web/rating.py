"""The blind review over HTTP: ask who rates, show a pair, keep the rating, go on."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from qc_builder_lora.errors import InputError
from qc_builder_lora.store import Store
from qc_builder_lora.web.blind import MACHINE, Blind
from qc_builder_lora.web.forms import read_form
from qc_builder_lora.web.guard import is_token, no_token, page_policy
from qc_builder_lora.web.views import Shown, Views


class Rating:
    """The blind review. Every answer is read from the store anew: raters may work side by side."""

    def __init__(self, store: Store, views: Views, token: str, shown: Shown) -> None:
        self._store, self._views, self._token, self._shown = store, views, token, shown

    def begin(self, request: Request) -> Response:
        """Ask who rates; with a name, go on where that rater was."""
        blind = Blind(self._store, request.path_params["challenger"])
        rater = request.query_params.get("rater", "").strip()
        if not rater:
            return HTMLResponse(self._views.rater(blind.challenger, len(blind)))
        pair = blind.next_for(rater)
        if pair is None:
            return HTMLResponse(self._views.unblinded(blind, rater))
        return self._to(blind.challenger, rater, pair.number)

    def show(self, request: Request) -> Response:
        """One pair."""
        blind = Blind(self._store, request.path_params["challenger"])
        rater = request.query_params.get("rater", "").strip()
        if not rater:
            return HTMLResponse(self._views.rater(blind.challenger, len(blind)))
        pair = blind.pair(request.path_params["number"], rater)
        return self._page(self._views.blind(blind, pair, rater, self._shown))

    def plot(self, request: Request) -> Response:
        """Equity and drawdown of a pair, as a picture that can do nothing."""
        blind = Blind(self._store, request.path_params["challenger"])
        pair = blind.pair(request.path_params["number"], request.query_params.get("rater", ""))
        drawn = self._shown.plot(pair.a.code, pair.b.code)
        policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        headers = {"content-security-policy": policy}
        return Response(drawn, 200 if drawn else 404, headers, "image/svg+xml")

    def _page(self, text: str, status: int = 200) -> Response:
        policy = page_policy(self._views, keys=True)
        return HTMLResponse(text, status, {"content-security-policy": policy})

    async def rate(self, request: Request) -> Response:
        """Keep a rating and go on to the next pair."""
        form = await read_form(request)
        if not is_token(form.get("token", ""), self._token):
            return no_token(self._views)
        return await run_in_threadpool(self._rate, request.path_params, form)

    def _rate(self, place: Mapping[str, Any], form: dict[str, str]) -> Response:
        blind, rater = Blind(self._store, place["challenger"]), form.get("rater", "").strip()
        if not rater:
            return HTMLResponse(
                self._views.rater(blind.challenger, len(blind), "A rating needs a name."), 409
            )
        comment = form.get("comment", "").replace("\r\n", "\n").strip()
        if rater.startswith(MACHINE):
            refusal = f"Names that begin with {MACHINE} are those of models."
            return HTMLResponse(self._views.rater(blind.challenger, len(blind), refusal), 409)
        number = place["number"]
        try:
            blind.rate(number, rater, form.get("choice", ""), form.get("score", ""), comment)
        except InputError as error:
            pair = blind.pair(number, rater)
            return self._page(self._views.blind(blind, pair, rater, self._shown, str(error)), 409)
        return self._to(blind.challenger, rater)

    def _to(self, challenger: str, rater: str, number: int | None = None) -> Response:
        place = f"/review/{quote(challenger)}" + (f"/{number}" if number else "")
        query = urlencode({"token": self._token, "rater": rater})
        return RedirectResponse(f"{place}?{query}", 303)


def plainly() -> Shown:
    """Answers as plain text, nothing drawn."""
    return Shown(
        code=lambda text: f"<pre>{html.escape(text)}</pre>",
        note=lambda text: "",
        has_plot=lambda first, second: False,
        plot=lambda first, second: "",
    )
