"""Bars as columns, and each bar as the JSON that the channel carries, made when first sent."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from qc_builder_lora.backtest.simulator.calendar import DAY, Zone

Columns = tuple["array[float]", ...]


class Bars:
    """Consecutive bars of one kind; times are New York's seconds, `utc` the ends in UTC.

    Trades have the columns open, high, low, close, volume; quotes those of the bid, then those of
    the ask, and 0 where a side had no quote.
    """

    __slots__ = ("_texts", "columns", "ends", "starts", "utc")

    def __init__(
        self, starts: Sequence[int], ends: Sequence[int], columns: Columns, zone: Zone
    ) -> None:
        self.starts = array("q", starts)
        self.ends = array("q", ends)
        self.columns = columns
        offsets = {day: zone.utc(day * DAY + DAY // 2) - day * DAY - DAY // 2
                   for day in {end // DAY for end in ends}}  # fmt: skip
        self.utc = array("q", [end + offsets[end // DAY] for end in ends])
        self._texts: list[str | None] = [None] * len(starts)

    def __len__(self) -> int:
        return len(self.starts)

    def text(self, row: int) -> str:
        """All columns of one bar."""
        text = self._texts[row]
        if text is None:
            text = f"[{','.join([repr(column[row]) for column in self.columns])}]"
            self._texts[row] = text
        return text

    def filled(self, row: int, scale: float = 1.0) -> list[float]:
        """The bar once more, as LEAN fills it forward: trades without volume.

        `scale` brings it to the price factor of the day it is filled to.
        """
        values = [column[row] for column in self.columns]
        if len(values) == 5:
            values[4] = 0.0
        if scale != 1.0:
            values = [
                value if column % 5 == 4 else value * scale for column, value in enumerate(values)
            ]
        return values
