"""The blind review in a real browser: keys, the plot, narrow and wide, light and dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.eval.plots import blind as blind_plot
from qc_builder_lora.eval.shown import highlighted
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.records import Comparison, Generation, Role
from qc_builder_lora.release.register import promote
from qc_builder_lora.requests import new_request
from qc_builder_lora.web.app import build_app
from qc_builder_lora.web.serving import new_token
from qc_builder_lora.web.views import Shown
from tests.web.conftest import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here (apt-get install chromium)"
)
CODE = """from AlgorithmImports import *


class Cross(QCAlgorithm):
    # A comment.
    def initialize(self):
        self.set_cash(100_000)
        self._symbol = self.add_equity("AAPL", Resolution.DAILY).symbol
"""
CURVE = tuple((f"2020-{month:02d}-15", 100_000.0 + 900 * (month % 5)) for month in range(1, 13))


@pytest.fixture
def served(project: Any) -> Iterator[Page]:
    project.report(project.model("m1"))
    for number in range(2):
        request = project.store.requests.add(new_request(f"Buy AAPL on its {number}th cross."))
        ids = []
        for model in ("claude", "m1"):
            made = Generation(
                id=new_id(), request_id=request.id, code=CODE + f"# {model[:0]}{number}\n",
                role=Role.SHADOW, created_at=now(), model=model,
            )  # fmt: skip
            ids.append(project.store.generations.add(made).id)
        project.store.comparisons.add(
            Comparison(
                id=new_id(), request_id=request.id, champion_generation_id=ids[0],
                challenger_generation_id=ids[1], judged={}, created_at=now(),
            )
        )  # fmt: skip
    token = new_token()
    shown = Shown(
        code=highlighted,
        note=lambda code: "trades, Net Profit 4%",
        has_plot=lambda first, second: True,
        plot=lambda first, second: blind_plot(CURVE, CURVE[:8]),
    )
    app = build_app(project.store, promote, token=token, host="127.0.0.1", shown=shown)
    page = Page(app, token)
    yield page
    page.close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync"]
    with sync.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM,
            args=[*options, "--disable-background-networking", "--disable-component-update"],
        )
        yield opened
        opened.close()


def test_a_person_rates_by_keys_alone_and_is_told_who_was_who_at_the_end(
    project: Any, served: Page, browser: Any
) -> None:
    faults: list[str] = []
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    # The browser asks for an icon by itself, without the token, and is refused as anybody is.
    tab.on(
        "console",
        lambda message: "favicon" in message.location["url"] or faults.append(message.text),
    )
    tab.on("pageerror", lambda error: faults.append(str(error)))
    base = f"http://127.0.0.1:{served.port}"
    tab.goto(f"{base}/review/m1?token={served.token}")
    tab.fill("#rater", "Ada")
    tab.click("button")
    for number in range(2):
        assert f"{number} of 2 rated" in tab.inner_text("main")
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("document.querySelector('img.plot').naturalWidth") > 0
        tab.keyboard.press("b")
        tab.keyboard.press("4")
        assert tab.is_checked("input[name=choice][value=b]")
        assert tab.is_checked("input[name=score][value='4']")
        tab.keyboard.press("Enter")
        after = "all 2 pairs are rated" if number else "1 of 2 rated"
        tab.get_by_text(after).wait_for()
    assert "all 2 pairs are rated" in tab.inner_text("main")
    assert [one.score for one in project.store.ratings.find(rater="Ada")] == [4, 4]
    tab.click("text=Read the report about m1")
    assert tab.is_visible("text=Promote lets")
    assert faults == []


def test_letters_typed_into_the_comment_choose_nothing(
    project: Any, served: Page, browser: Any
) -> None:
    tab = browser.new_page()
    query = f"token={served.token}&rater=Bob"
    tab.goto(f"http://127.0.0.1:{served.port}/review/m1/1?{query}")
    tab.click("#comment")
    tab.keyboard.type("a better 5")
    assert not tab.is_checked("input[name=choice][value=a]")
    assert not tab.is_checked("input[name=score][value='5']")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_window_in_any_light(
    served: Page, browser: Any, scheme: str, width: int
) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    query = f"token={served.token}&rater=Eve"
    tab.goto(f"http://127.0.0.1:{served.port}/review/m1/1?{query}")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    columns = tab.evaluate("getComputedStyle(document.querySelector('.sides')).gridTemplateColumns")
    assert len(columns.split()) == (1 if width == 390 else 2)
    if folder := os.environ.get("QC_LORA_SCREENSHOTS"):
        tab.screenshot(path=f"{folder}/review-{scheme}-{width}.png", full_page=True)
