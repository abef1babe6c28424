"""qc-lora snapshot: freeze what there is to learn from."""

from __future__ import annotations

import click

from qc_builder_lora.cli.common import SHORT, facts, json_option, opened, resolve, say_json, table


@click.group("snapshot")
def command() -> None:
    """Frozen, content-addressed sets of examples.

    \b
    Examples:
      qc-lora snapshot build
      qc-lora snapshot list
      qc-lora snapshot show 3fa9c1
    """


@command.command()
@click.option("--quota", default=200, show_default=True, help="Most examples of one family.")
@click.option("--source", "sources", multiple=True, help="Only this source; may be repeated.")
@click.option(
    "--licence",
    "licences",
    multiple=True,
    help="Take examples of this reserved licence too (LicenseRef-…); may be repeated.",
)
@json_option
def build(quota: int, sources: tuple[str, ...], licences: tuple[str, ...], as_json: bool) -> None:
    """Choose and split the store's examples; the same ones give the same snapshot.

    Examples whose licence reserves the rights of somebody else (LicenseRef-WorldQuant-paper) are
    left out unless that licence is named.
    """
    from qc_builder_lora.eval.suite import suite_paths
    from qc_builder_lora.harvest.snapshot import Choice, build_snapshot

    _, store = opened()
    with store:
        choice = Choice(family_quota=quota, sources=sources, licences=licences)
        _, report = build_snapshot(store, suite_paths(), choice)
    plain = report.plain()
    if as_json:
        say_json(plain)
        return
    facts([(key, plain[key]) for key in ("id", "examples", "validation", "families")])
    for reason, count in plain["left_out"].items():
        click.echo(f"  left out: {reason}  {count}")


@command.command("list")
@json_option
def list_snapshots(as_json: bool) -> None:
    """All snapshots, newest first."""
    _, store = opened()
    with store:
        found = store.snapshots.find()
    rows = [(s.id[:SHORT], f"{s.created_at:%Y-%m-%d %H:%M}", len(s.members)) for s in found]
    if as_json:
        say_json([{"id": s.id, "created_at": s.created_at, "n": len(s.members)} for s in found])
        return
    table(("snapshot", "made", "examples"), rows)


@command.command()
@click.argument("snapshot")
@json_option
def show(snapshot: str, as_json: bool) -> None:
    """The families and splits of one snapshot, by the first digits of its id."""
    _, store = opened()
    with store:
        found = resolve(store.snapshots.find(), "snapshot", snapshot, "qc-lora snapshot list")
        examples = store.examples.of_snapshot(found.id)
    counts: dict[tuple[str, str], int] = {}
    for example in examples:
        key = (example.family, str(found.members[example.id]))
        counts[key] = counts.get(key, 0) + 1
    if as_json:
        rows = [{"family": f, "split": s, "examples": n} for (f, s), n in sorted(counts.items())]
        say_json({"id": found.id, "settings": dict(found.settings), "families": rows})
        return
    table(("family", "split", "examples"), [(*key, n) for key, n in sorted(counts.items())])
