"""Prometheus' text format, version 0.0.4: families of samples with a help and a type each.

https://prometheus.io/docs/instrumenting/exposition_formats/ ; names and units follow
https://prometheus.io/docs/practices/naming/ : a prefix, base units, `_total` for counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

PREFIX = "qc_lora_"
Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """One metric: its name without the prefix, and its samples."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    help: str
    samples: list[tuple[str, Labels, object]] = field(default_factory=list)
    """What follows the name (`_sum`, `_count` or nothing), labels, value."""

    def add(self, value: object, suffix: str = "", **labels: str) -> Family:
        """One more sample; itself again."""
        self.samples.append((suffix, tuple(labels.items()), value))
        return self

    def each(self, label: str, values: Mapping[str, object]) -> Family:
        """A sample for every value of one label; itself again."""
        for name, value in values.items():
            self.add(value, **{label: name})
        return self

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""
        name = PREFIX + self.name
        yield f"# HELP {name} {_escaped(self.help)}"
        yield f"# TYPE {name} {self.kind}"
        for suffix, labels, value in self.samples:
            inside = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels)
            shown = f"{{{inside}}}" if inside else ""
            yield f"{name}{suffix}{shown} {value}"


def exposition(families: Iterable[Family]) -> str:
    """The whole page."""
    return "".join(f"{line}\n" for family in families for line in family.lines())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
