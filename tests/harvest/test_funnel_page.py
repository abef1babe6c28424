"""The page of the funnel: all that came in, in proportion, with reasons that stay text."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli import root
from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.funnel import Explained, Step
from qc_builder_lora.harvest.funnel_page import page
from qc_builder_lora.store import Store


def explained() -> Explained:
    hostile = "<script>alert('x')</script> & more"
    stopping = Step("G4 engine", reached=8, passed=3, failed=4, unknown=1)
    stopping.reasons.update({hostile: 3, "no SPY": 1, "no QQQ": 1})
    return Explained(
        generations=12, without_code=1, unparsable=1, same_strategy=2, strategies=8, accepted=3,
        promising=1, steps=[Step("G1 parse", reached=8, passed=8), stopping,
                            Step("G10 statistics", reached=3, passed=1, unknown=2, on_line=False)],
    )  # fmt: skip


def test_bars_are_in_proportion_to_all_strategies() -> None:
    text = page(explained())
    widths = re.findall(r"<i class=(\w+) style='width:([\d.]+)%'", text)
    assert [(name, float(width)) for name, width in widths] == [
        ("pass", 100.0), ("pass", 37.5), ("fail", 50.0), ("unknown", 12.5), ("pass", 12.5),
        ("unknown", 25.0),
    ]  # fmt: skip
    assert "8 reached it: 3 PASS, 4 FAIL, 1 UNKNOWN" in text
    assert "What to do: mend what the reason says" in text
    assert text.index("Beside the line") < text.index("G10 statistics")


def test_reasons_are_escaped_and_those_beyond_are_counted() -> None:
    text = page(explained(), reasons=2)
    assert "<script" not in text
    assert "3 × &lt;script&gt;" in text
    assert "1 more reasons" in text


def test_an_empty_store_has_a_page_too() -> None:
    text = page(Explained(steps=[Step("G1 parse")]))
    assert "0 reached it: nothing" in text
    assert "Beside the line" not in text


def test_the_command_writes_it_and_names_a_place_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))
    with Store.open(f"sqlite:///{tmp_path / 'home' / 'store.db'}"):
        pass
    out = tmp_path / "new" / "funnel.html"
    done = CliRunner().invoke(root, ["harvest", "explain", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert str(out) in done.output
    assert out.read_text("utf-8").startswith("<!doctype html>")
    done = CliRunner().invoke(root, ["harvest", "explain", "--out", "/proc/no/funnel.html"])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("/proc/no/funnel.html: cannot be written")
