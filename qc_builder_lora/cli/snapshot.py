"""qc-lora snapshot: freeze what there is to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qc_builder_lora.cli.common import (
    SHORT,
    facts,
    json_option,
    opened,
    resolve,
    say_json,
    table,
    writing,
)
from qc_builder_lora.progress import show_progress

if TYPE_CHECKING:
    from qc_builder_lora.records import Snapshot
    from qc_builder_lora.store import Store


@click.group("snapshot")
def command() -> None:
    """Frozen, content-addressed sets of examples.

    \b
    Examples:
      qc-lora snapshot build
      qc-lora snapshot list
      qc-lora snapshot show 3fa9c1
      qc-lora snapshot diff 3fa9c1 b200e4
      qc-lora snapshot export 3fa9c1 --out dataset
      qc-lora snapshot show ./dataset
      qc-lora snapshot report 3fa9c1 --out snapshot.html
    """


@command.command()
@click.option("--quota", type=int, help="Most examples of one family; default in gates.toml.")
@click.option("--fix-quota", type=int, help="Most error-fix pairs of one family; 0 for none.")
@click.option("--change-quota", type=int, help="Most change pairs of one family; 0 for none.")
@click.option("--source", "sources", multiple=True, help="Only this source; may be repeated.")
@click.option(
    "--licence",
    "licences",
    multiple=True,
    help="Take examples of this reserved licence too (LicenseRef-…); may be repeated.",
)
@click.option(
    "--include-source",
    "include",
    multiple=True,
    help="Take examples of this source whatever its licence reserves; may be repeated.",
)
@json_option
def build(
    quota: int | None,
    fix_quota: int | None,
    change_quota: int | None,
    sources: tuple[str, ...],
    licences: tuple[str, ...],
    include: tuple[str, ...],
    as_json: bool,
) -> None:
    """Choose and split the store's examples; the same ones give the same snapshot.

    Examples whose licence reserves the rights of somebody else (LicenseRef-WorldQuant-paper), or
    whose rights are not established (qc-docs), are left out unless that licence or source is
    named. So are duplicates, near-duplicates, all but the last of a builder's answers to one
    question, and whatever is like a suite's or a held-out example. Error-fix and change
    pairs stand on the side of what they mend or change, and have quotas of their own (gates.toml).

    \b
    Examples:
      qc-lora snapshot build
      qc-lora snapshot build --source starter --quota 20
    """
    from qc_builder_lora.eval.suite import suite_paths
    from qc_builder_lora.harvest.choice import load_choice
    from qc_builder_lora.harvest.snapshot import build_snapshot

    _, store = opened()
    with store:
        _refuse_unknown(store, (*sources, *include), licences)
        choice = load_choice(
            family_quota=quota,
            fix_quota=fix_quota,
            change_quota=change_quota,
            sources=sources or None,
            licences=licences or None,
            include_sources=include or None,
        )
        with show_progress("Snapshot", 1) as progress:
            built, report = build_snapshot(store, suite_paths(), choice, progress)
        _say_if_older(store, built)
    plain = report.plain()
    if as_json:
        say_json(plain)
        return
    facts(
        [
            ("id", plain["id"]),
            ("to train on", plain["examples"]),
            ("validation", plain["validation"]),
            ("families", plain["families"]),
        ]
    )
    for kind, count in plain["by_kind"].items():
        click.echo(f"  {kind}: {count}")
    for reason, count in plain["left_out"].items():
        click.echo(f"  left out: {reason}  {count}")


def _refuse_unknown(store: Store, named: tuple[str, ...], licences: tuple[str, ...]) -> None:
    """Sources that the store does not have, and licences that nobody has to ask for."""
    from qc_builder_lora.errors import InputError, NotFound
    from qc_builder_lora.harvest.choice import is_reserved, reserved_parts

    known: list[str] = list(store.examples.sources()) if named else []
    for name in named:
        if name not in known:
            raise NotFound("source", name, "See them with: qc-lora corpus sources", known)
    having = list(store.examples.licences()) if licences else []
    reserved = [one for one in having if is_reserved(one)]
    asked_for = {*reserved, *(part for one in reserved for part in reserved_parts(one))}
    for name in licences:
        if name in having and name not in asked_for:
            raise InputError(f"{name} reserves nothing: its examples are taken without asking.")
        if name not in asked_for:
            cure = "Reserved in this store: " + (", ".join(sorted(asked_for)) or "none") + "."
            raise NotFound("reserved licence", name, cure, sorted(asked_for))


def _say_if_older(store: Store, built: Snapshot) -> None:
    """What was there before does not become the newest, which others take by default."""
    (newest,) = store.snapshots.find(limit=1)
    if newest.id != built.id:
        click.echo(
            f"Made before, {built.created_at:%Y-%m-%d %H:%M}; the newest is {newest.id[:SHORT]}. "
            f"To train on this one: qc-lora retrain --snapshot {built.id[:SHORT]}",
            err=True,
        )


@command.command("list")
@json_option
def list_snapshots(as_json: bool) -> None:
    """All snapshots, newest first.

    \b
    Example:
      qc-lora snapshot list
    """
    _, store = opened()
    with store:
        found = store.snapshots.find()
    rows = [(s.id[:SHORT], f"{s.created_at:%Y-%m-%d %H:%M}", len(s.members)) for s in found]
    if as_json:
        say_json([{"id": s.id, "created_at": s.created_at, "n": len(s.members)} for s in found])
        return
    table(("snapshot", "made", "examples"), rows)


@command.command()
@click.argument("snapshot", required=False)
@json_option
def show(snapshot: str | None, as_json: bool) -> None:
    """The families and sides of one snapshot, the newest by default, and what was left out.

    What was changed since it was frozen is told by its hashes. A folder that was exported is held
    against its manifest: qc-lora snapshot show ./dataset

    \b
    Example:
      qc-lora snapshot show 3fa9c1
    """
    from qc_builder_lora.harvest.frozen import check_frozen

    if snapshot and ("/" in snapshot or Path(snapshot).is_dir()):
        _show_folder(Path(snapshot), as_json)
        return
    _, store = opened()
    with store:
        found = _chosen(store, snapshot)
        examples = store.examples.of_snapshot(found.id)
        check_frozen(found, examples)
    counts: dict[tuple[str, str], int] = {}
    kinds: dict[str, int] = {}
    for example in examples:
        key = (example.family, str(found.members[example.id]))
        counts[key] = counts.get(key, 0) + 1
        kinds[example.kind] = kinds.get(example.kind, 0) + 1
    if as_json:
        rows = [{"family": f, "split": s, "examples": n} for (f, s), n in sorted(counts.items())]
        settings = {key: value for key, value in found.settings.items() if key != "removed"}
        by_kind = dict(sorted(kinds.items()))
        say_json({"id": found.id, "settings": settings, "families": rows, "by_kind": by_kind})
        return
    sides = sorted({side for _, side in counts})
    families = sorted({name for name, _ in counts})
    table(
        ("family", *sides),
        [(name, *(counts.get((name, side), 0) for side in sides)) for name in families],
    )
    click.echo()
    totals = [(side, sum(n for (_, at), n in counts.items() if at == side)) for side in sides]
    suites = ", ".join(sorted(found.settings.get("suites", {})))
    facts(
        [
            ("id", found.id),
            ("families", len(families)),
            *totals,
            *((f"of kind {kind}", count) for kind, count in sorted(kinds.items())),
            ("kept clear of", suites or "none"),
        ]
    )
    for reason, count in found.settings.get("left_out", {}).items():
        click.echo(f"  left out: {reason}  {count}")


def _show_folder(folder: Path, as_json: bool) -> None:
    from qc_builder_lora.harvest.frozen import check_folder

    manifest = check_folder(folder)
    if as_json:
        say_json(manifest)
        return
    facts(
        [
            ("id", manifest["snapshot"]),
            *sorted(manifest["examples"].items()),
            ("files", "as they were written"),
        ]
    )


def _chosen(store: Store, name: str | None) -> Snapshot:
    """The snapshot of that name, or the newest; NotFound says how to make one."""
    from qc_builder_lora.errors import NotFound

    known = store.snapshots.find(limit=1 if name is None else None)
    if not known:
        raise NotFound("snapshot", name or "newest", "Make one: qc-lora snapshot build")
    wanted = known[0].id if name is None else name
    found: Snapshot = resolve(known, "snapshot", wanted, "qc-lora snapshot list")
    return found


@command.command()
@click.argument("first")
@click.argument("second")
@json_option
def diff(first: str, second: str, as_json: bool) -> None:
    """Which examples only one of two snapshots has.

    `-` is in the first only, `+` in the second only, `!` on another side of it.

    \b
    Example:
      qc-lora snapshot diff 3fa9c1 b200e4
    """
    from qc_builder_lora.harvest.export import differences

    _, store = opened()
    with store:
        known = store.snapshots.find()
        one, other = (
            resolve(known, "snapshot", name, "qc-lora snapshot list") for name in (first, second)
        )
        found = [
            {
                "sign": sign,
                "id": example.id,
                "family": example.family,
                "source": example.source,
                "split": str(other.members.get(example.id) or one.members.get(example.id)),
                "instruction": example.instruction,
            }
            for sign, example in differences(store, one, other)
        ]
    if as_json:
        say_json({"first": one.id, "second": other.id, "differences": found})
        return
    for row in found:
        line = " ".join(row["instruction"].split())[:60]
        click.echo(
            f"{row['sign']} {row['id'][:SHORT]}  {row['split']:<10}  {row['family']}  {line}"
        )
    signs = [row["sign"] for row in found]
    click.echo(
        f"{signs.count('-')} only in {one.id[:SHORT]}, {signs.count('+')} only in "
        f"{other.id[:SHORT]}, {signs.count('!')} on another side"
    )


@command.command("export")
@click.argument("snapshot")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="An empty folder to write to."
)
@click.option(
    "--include-licence",
    "licences",
    multiple=True,
    help="Write examples of this reserved licence too (LicenseRef-…); may be repeated.",
)
@click.option(
    "--include-source",
    "include",
    multiple=True,
    help="Write examples of this source whatever its licence reserves; may be repeated.",
)
@json_option
def export_snapshot(
    snapshot: str,
    out: Path,
    licences: tuple[str, ...],
    include: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a snapshot in chat format: train.jsonl, validation.jsonl and manifest.json.

    A line is {"id", "messages": [user, assistant], "family", "source", "licence", …}. The same
    snapshot gives the same bytes.

    \b
    Example:
      qc-lora snapshot export 3fa9c1 --out dataset
    """
    from qc_builder_lora.harvest.export import export

    _, store = opened()
    with store:
        found = resolve(store.snapshots.find(), "snapshot", snapshot, "qc-lora snapshot list")
        _refuse_unknown(store, include, licences)
        with writing(out):
            done = export(store, found, out, licences, include)
    if as_json:
        say_json(done.plain())
        return
    for split, count in sorted(done.examples.items()):
        click.echo(f"{count:>8,}  {done.folder / split}.jsonl")
    for reason, count in sorted(done.left_out.items()):
        click.echo(f"  left out: {reason}  {count}")


@command.command("report")
@click.argument("snapshot", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it; default reports/snapshot-ID.html in the home.",
)
@json_option
def report_snapshot(snapshot: str | None, out: Path | None, as_json: bool) -> None:
    """One self-contained page about a snapshot, the newest by default.

    Lengths, families, sources, licences, what was left out and why, and examples to read.

    \b
    Example:
      qc-lora snapshot report 3fa9c1 --out snapshot.html
    """
    from qc_builder_lora.files import write_text
    from qc_builder_lora.harvest.snapshot_page import page

    settings, store = opened()
    with store:
        found = _chosen(store, snapshot)
        text = page(store, found)
    path = out or settings.home / "reports" / f"snapshot-{found.id[:SHORT]}.html"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    say_json({"snapshot": found.id, "path": str(path)}) if as_json else click.echo(str(path))
