"""A snapshot as one self-contained page: what is in it, what was left out, examples to read.

No script, no font, no image from elsewhere; light and dark as the reader's system is set. Texts of
strategies are hostile: everything is escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from qc_builder_lora.harvest.choice import is_reserved
from qc_builder_lora.harvest.frozen import check_frozen
from qc_builder_lora.harvest.page import document, figures
from qc_builder_lora.harvest.snapshot_reading import CHANGE, FIX
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import Example, Snapshot, Split
from qc_builder_lora.store import Store

EXAMPLES = 12
_LONGEST = 6000
_STYLE = """
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; } th { color: var(--soft); font-weight: 500; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { width: 45%; padding-right: 0; } td.bar span { display: inline-block; height: .75rem;
  background: var(--first); vertical-align: middle; }
td.bar span.held { background: var(--second); }
pre { background: var(--code); padding: .8rem; overflow-x: auto; border-radius: 4px;
  margin: .4rem 0; }
details { border-bottom: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; }
.key span { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem;
  background: var(--first); } .key span.held { background: var(--second); }
"""


def page(store: Store, snapshot: Snapshot) -> str:
    """The whole page as HTML. Raises DamagedSnapshot."""
    examples = store.examples.of_snapshot(snapshot.id)
    check_frozen(snapshot, examples)
    splits = Counter(str(snapshot.members[one.id]) for one in examples)
    families = len({one.family for one in examples})
    removed = _removed(store, snapshot)
    facts = [
        ("to learn from", splits[Split.TRAIN]),
        ("held out", splits[Split.VALIDATION]),
        ("families", families),
        ("error-fix pairs", sum(one.kind == FIX for one in examples)),
        ("change pairs", sum(one.kind == CHANGE for one in examples)),
        ("sources", len({one.source for one in examples})),
        ("left out", sum(snapshot.settings.get("left_out", {}).values())),
    ]
    parts = [
        f"<h1>Snapshot {snapshot.id[:12]}</h1>",
        f"<p class=soft>Made {snapshot.created_at:%Y-%m-%d %H:%M} UTC. The whole name, a hash of "
        f"its members and its settings: <code>{snapshot.id}</code></p>",
        figures(facts),
        "<h2>Families</h2>",
        '<p class="soft key">Examples of each: <span></span>to learn from'
        "<span class=held></span>held out for validation</p>",
        _families(examples, snapshot.members),
        "<h2>Lengths</h2>",
        _lengths(examples),
        "<h2>Sources and licences</h2>",
        _sources(examples),
        "<h2>Left out, and why</h2>",
        _left_out(snapshot.settings.get("left_out")),
        *removed,
        "<h2>Examples to read</h2>",
        f"<p class=soft>{min(EXAMPLES, len(examples))} of {len(examples):,}, the same ones each "
        "time, one a family first.</p>",
        *map(_example, _to_read(examples), [snapshot.members] * EXAMPLES),
        "<h2>Settings</h2>",
        _settings(snapshot),
    ]
    return document(f"Snapshot {snapshot.id[:12]}", _STYLE, parts)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], numeric: int) -> str:
    """Cells are HTML; the last `numeric` columns are numbers."""
    first = len(headings) - numeric
    kinds = ["" if index < first else " class=n" for index in range(len(headings))]
    head = "".join(f"<th{kind}>{text}</th>" for kind, text in zip(kinds, headings, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _families(examples: Sequence[Example], members: Mapping[str, Split]) -> str:
    counts: dict[str, Counter[str]] = {}
    for one in examples:
        counts.setdefault(one.family, Counter())[str(members[one.id])] += 1
    most = max((sum(count.values()) for count in counts.values()), default=1)
    rows = []
    for family, count in sorted(counts.items(), key=lambda pair: (-sum(pair[1].values()), pair[0])):
        learnt, held = count[Split.TRAIN], count[Split.VALIDATION]
        bars = f"<span style='width:{95 * learnt / most:.1f}%'></span>"
        bars += f"<span class=held style='width:{95 * held / most:.1f}%'></span>"
        rows.append(
            f"<tr><td>{escape(family)}</td><td class=bar>{bars}</td>"
            f"<td class=n>{learnt:,}</td><td class=n>{held:,}</td></tr>"
        )
    return (
        "<div class=wide><table><thead><tr><th>family</th><th></th><th class=n>to learn</th>"
        f"<th class=n>held out</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _lengths(examples: Sequence[Example]) -> str:
    rows = []
    for name, values in (
        ("instruction, characters", sorted(len(one.instruction) for one in examples)),
        ("code, characters", sorted(len(one.code) for one in examples)),
        ("code, lines", sorted(one.code.count("\n") + 1 for one in examples)),
    ):
        marks = (0, 0.05, 0.5, 0.95, 1)
        cells = [f"{values[round(mark * (len(values) - 1))]:,}" for mark in marks] if values else []
        rows.append([name, *(cells or ["none"] * 5)])
    return _table(("", "shortest", "5 %", "median", "95 %", "longest"), rows, 5)


def _sources(examples: Sequence[Example]) -> str:
    counts = Counter((one.source, one.version or "", one.licence) for one in examples)
    rows = [
        [
            escape(source),
            escape(version) or "<span class=soft>not given</span>",
            escape(licence) + (" <b>(reserved)</b>" if is_reserved(licence) else ""),
            f"{count:,}",
        ]
        for (source, version, licence), count in sorted(counts.items())
    ]
    return _table(("source", "version", "licence", "examples"), rows, 1)


def _left_out(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return "<p class=soft>Not recorded: the snapshot is of an older version.</p>"
    if not counts:
        return "<p>Nothing.</p>"
    rows = [[escape(why), f"{count:,}"] for why, count in sorted(counts.items())]
    return _table(("why", "examples"), rows, 1)


def _removed(store: Store, snapshot: Snapshot) -> list[str]:
    pairs = snapshot.settings.get("removed", [])
    keys = sorted({key for one in pairs for key in one[:2]})
    found = {example.id: example for example in store.examples.fetch(keys)}
    parts = [
        f"<details><summary>{escape(why)}: {escape(_line(found[gone].instruction))}</summary>"
        f"<p class=soft>Left out, for this one stays: {escape(_line(found[stays].instruction))}</p>"
        f"<pre>{escape(found[gone].code[:_LONGEST])}</pre>"
        f"<pre>{escape(found[stays].code[:_LONGEST])}</pre></details>"
        for gone, stays, why in pairs[:EXAMPLES]
        if gone in found and stays in found
    ]
    return ["<h2>Some of the duplicates</h2>", *parts] if parts else []


def _to_read(examples: Sequence[Example]) -> list[Example]:
    """Of as many families as there is room for, chosen by a hash."""
    mixed = sorted(examples, key=lambda one: text_hash(f"read/{one.id}"))
    first = {one.family: one for one in reversed(mixed)}
    chosen = sorted(first.values(), key=lambda one: text_hash(f"read/{one.id}"))[:EXAMPLES]
    taken = {one.id for one in chosen}
    return [*chosen, *(one for one in mixed if one.id not in taken)][:EXAMPLES]


def _example(one: Example, members: Mapping[str, Split]) -> str:
    return (
        f"<details><summary><b>{escape(one.family)}</b> ({members[one.id]}, {escape(one.source)}"
        f"{', ' + escape(one.style) if one.style else ''}): {escape(_line(one.instruction))}"
        f"</summary><pre>{escape(one.instruction[:_LONGEST])}</pre>"
        f"<pre>{escape(one.code[:_LONGEST])}</pre></details>"
    )


def _line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 100 else words[:99] + "…"


def _settings(snapshot: Snapshot) -> str:
    rows = [
        [escape(str(key)), _value(value)]
        for key, value in sorted(snapshot.settings.items())
        if key not in ("left_out", "removed")
    ]
    return _table(("setting", "value"), rows, 0)


def _value(value: object) -> str:
    """A setting for reading: hashes by their beginning, an empty list for what it means."""
    if isinstance(value, Mapping):
        return "<br>".join(
            f"{escape(str(key))} <code class=soft title='{escape(str(one))}'>"
            f"{escape(str(one)[:12])}</code>"
            for key, one in sorted(value.items())
        )
    if isinstance(value, list | tuple):
        return escape(", ".join(map(str, value))) or "<span class=soft>all</span>"
    return escape(str(value))
