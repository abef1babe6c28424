"""Whatever a strategy's process says within the form, the simulator has a verdict and goes on.

Messages are drawn from values that the schema lets through, so that they reach what is behind it;
the same ones for the same number.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from qc_builder_lora.backtest.protocol import BacktestSettings, Limits
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.simulator.channel import Forged
from qc_builder_lora.backtest.simulator.schema import FORMS, check
from tests.backtest.conftest import strategy

_LIMITS = BacktestSettings(limits=Limits(wall_s=5, cpu_s=5))
_NUMBERS = (
    0, 1, -1, 2, 3, 5, 60, 3600, 86_400, 14_613, 14_700, 2_932_896, -719_162, 10**6, 10**9,
    -(10**9), 1_262_610_000, 1_265_000_000, 10**12, 10**14, -(10**14), 0.5, -0.0, 1e-300, 9e14,
    16000.0,
)  # fmt: skip
_WORDS = (
    "", "AAPL", "aapl", "MSFT", "SPY", "../../etc/passwd", "A" * 50, "\0", "\ud800", "cash",
    "start", "end", "benchmark", "warm_up_bars", "warm_up_seconds", "trading_days", "max_orders",
    "UTC", "America/New_York", "Europe/Berlin", "../x", "trade", "quote", "count", "seconds",
    "range", "leverage", "normalization", "fee", "fill", "slippage", "buying_power", "constant",
    "open_at", "date_open", "next_open", "next_close", "next_day", "previous_day", "utc", "local",
    "gtc", "day", "debug", "error", "run", "initialize", "every", "every_day", "week_start",
    "month_start", "month_end", "year_start", "on", "dates", "at", "after_market_open",
    "before_market_close", "2010-01-05", "9999-12-31", "0000-00-00",
)  # fmt: skip
_QUIET = ("failed", "unknown", "quit", "ready", "done", "phase", "log")
"""Rarely drawn: most of them end the backtest."""
_SPEAK = """
    import json, os, select, struct
    for message in json.loads({script!r}):
        body = json.dumps(message).encode()
        os.write(3, struct.pack("<I", len(body)) + body)
        while select.select([3], [], [], 0)[0]:
            if not os.read(3, 1 << 16):
                os._exit(0)
"""


def value(draw: random.Random, depth: int = 0) -> Any:
    kind = draw.random()
    if kind < 0.45:
        return draw.choice(_NUMBERS) if draw.random() < 0.7 else draw.randint(0, 2)
    if kind < 0.75:
        return draw.choice(_WORDS)
    if kind < 0.9 or depth > 1:
        return draw.choice((True, False, None))
    return [value(draw, depth + 1) for _ in range(draw.randint(0, 4))]


def message(draw: random.Random) -> list[Any]:
    """One that the schema takes."""
    while True:
        kind = draw.choice([*FORMS, *([name for name in FORMS if name not in _QUIET] * 3)])
        fields = [_field(draw, form) for form in FORMS[kind]]
        try:
            check([kind, *fields])
        except Forged:
            continue
        return [kind, *fields]


def _field(draw: random.Random, good: Any) -> Any:
    for _ in range(300):
        found = value(draw)
        if draw.random() < 0.1:
            found = [draw.choice(_WORDS), value(draw), value(draw)]
        if good(found):
            return found
    return {"on_order_event": True}


@pytest.mark.parametrize("seed", range(120))
def test_the_simulator_outlives_what_it_is_told(sample: Simulator, seed: int) -> None:
    draw = random.Random(seed)
    script = json.dumps([message(draw) for _ in range(draw.choice((1, 1, 2, 5)))])
    lines = _SPEAK.format(script=script)
    early = draw.random() < 0.4
    began = time.monotonic()
    result = sample.run(strategy(lines) if early else strategy(on_data=lines), _LIMITS)
    assert "the simulator broke on it" not in str(result.reason), (script, result.reason)
    assert time.monotonic() - began < 20, script
