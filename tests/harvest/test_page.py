"""What the pages of the harvest share."""

import re

from qc_builder_lora.harvest import funnel_page, snapshot_page
from qc_builder_lora.harvest.page import document, figures


def test_a_page_is_whole_and_its_title_and_names_stay_text() -> None:
    text = document("<b>", "p { color: var(--second); }\n", [figures([("a < b", 1234)])])
    assert text.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert "<title>&lt;b&gt;</title>" in text
    assert "<b>1,234</b>a &lt; b</div>" in text
    assert text.endswith("</body></html>\n")


def test_a_page_uses_no_colour_that_is_not_named_for_light_and_for_dark() -> None:
    for style in (funnel_page._STYLE, snapshot_page._STYLE):
        whole = document("t", style, [])
        light, dark = re.findall(r"--back: #.*?}", whole, re.S)
        for name in set(re.findall(r"var\((--\w+)\)", whole)):
            assert f"{name}: " in light, name
            assert f"{name}: " in dark, name
