"""qc-lora check: what is wrong with a strategy, before anything runs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import InputError
from qc_builder_lora.progress import SILENT, show_progress

if TYPE_CHECKING:
    from qc_builder_lora.backtest.check.checking import Checked
    from qc_builder_lora.backtest.check.finding import Rule
    from qc_builder_lora.backtest.check.handed_in import HandedIn

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
_MANY = 20  # files from which on a progress bar is shown


def _several(values: Iterable[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--fix", is_flag=True, help="Make the safe repairs in the files.")
@click.option("--diff", is_flag=True, help="Show the safe repairs and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--sarif", type=click.Path(path_type=Path), help="Write a SARIF 2.1.0 file.")
@click.option("--select", multiple=True, metavar="RULE", help="Only these rules: QC008,QC01,name.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Not these rules.")
@click.option("--no-types", is_flag=True, help="Leave the compile check (mypy) out.")
@click.option("--jobs", type=click.IntRange(1), help="Compile checks at a time.")
@click.option("--rules", "list_rules", is_flag=True, help="List all rules.")
@click.option("--explain", metavar="RULE", help="Show what a rule is for, with examples.")
def command(
    paths: tuple[Path, ...], fix: bool, diff: bool, as_json: bool, sarif: Path | None,
    select: tuple[str, ...], ignore: tuple[str, ...], no_types: bool, jobs: int | None,
    list_rules: bool, explain: str | None,
) -> int:  # fmt: skip
    """Check strategy files, or all *.py below folders, without running them.

    Parses; one QCAlgorithm class; the mistakes that models make; the compile check (mypy with
    LEAN's stubs); stubs and placeholders. A comment "noqa: QC008" silences a rule on its line.

    Exit code: 0 no error, 1 an error or does not compile, 3 unknown (nobody can say), 2 is ours.

    \b
    Examples:
      qc-lora check my_strategy.py
      qc-lora check strategies/ --fix
      qc-lora check strategies/ --json > findings.json
      qc-lora check main.py --select QC060,QC061,QC063 --no-types
      qc-lora check --explain QC008
    """
    if list_rules:
        return _list_rules(as_json)
    if explain:
        return _explain(explain)
    if not paths:
        raise click.UsageError("Name files or folders, or ask for --rules or --explain RULE.")
    from qc_builder_lora.backtest.check.lint import chosen

    rules = chosen(_several(select), _several(ignore))
    files = _read(paths)
    if fix or diff:
        files = _repair(files, rules, write=fix, quiet=as_json)
        if diff and not fix:
            return 0
    checked = _check(files, rules, types=not no_types, jobs=jobs)
    if sarif is not None:
        _write_sarif(sarif, checked, rules, types=not no_types)
    if as_json:
        from qc_builder_lora.backtest.check.told import plain

        click.echo(json.dumps(plain(checked, types=not no_types), indent=1))
    else:
        _print(checked, types=not no_types)
    return _exit_code(checked)


def _read(paths: Iterable[Path]) -> list[HandedIn]:
    from qc_builder_lora.backtest.check.handed_in import read, read_of_folder

    paths = [*paths]
    found: dict[Path, None] = {}
    for path in paths:
        inside = _below(path) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no *.py files in or below this folder. Name the files.")
        found.update(dict.fromkeys(inside))
    return [read(path) if path in paths else read_of_folder(path) for path in found]


def _below(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*.py") if path.is_file()
        and not any(part in _SKIPPED or (part.startswith(".") and part not in (".", ".."))
                    for part in path.relative_to(folder).parts)
    )  # fmt: skip


def _check(
    files: Sequence[HandedIn], rules: Sequence[Rule], *, types: bool, jobs: int | None
) -> list[Checked]:
    from contextlib import nullcontext

    from qc_builder_lora.backtest.check.checking import check

    settings = load_settings()
    bar: Any = show_progress("check", len(files)) if len(files) >= _MANY else nullcontext(SILENT)
    with bar as progress:
        return check(
            files, rules, types=types, cache=settings.cache_folder, told=progress.update,
            jobs=jobs or (settings.usable_jobs if len(files) >= _MANY else 1),
        )  # fmt: skip


def _repair(
    files: Sequence[HandedIn], rules: Sequence[Rule], *, write: bool, quiet: bool
) -> list[HandedIn]:
    from qc_builder_lora.backtest.check.handed_in import read
    from qc_builder_lora.backtest.check.repair import repair

    after, count, changed = [], 0, 0
    for file in files:
        repaired = repair(file.text, rules) if not (file.refused or file.unread) else None
        if repaired is None or repaired.text == file.text:
            after.append(file)
            continue
        count, changed = count + len(repaired.done), changed + 1
        if write:
            file.write(Path(file.path), repaired.text)
            after.append(read(Path(file.path)))
        else:
            after.append(file)
            click.echo(_difference(file, repaired.text), nl=False)
    if not quiet:
        done = "Repaired" if write else "Would repair"
        click.echo(f"{done} {_counted(count, 'finding')} in {_counted(changed, 'file')}.", err=True)
    return after


def _difference(file: HandedIn, text: str) -> str:
    lines = difflib.unified_diff(
        file.text.splitlines(keepends=True), text.splitlines(keepends=True), file.path, file.path
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _write_sarif(
    path: Path, checked: Sequence[Checked], rules: Sequence[Rule], *, types: bool
) -> None:
    from qc_builder_lora.backtest.check.told import sarif
    from qc_builder_lora.files import write_json

    write_json(path, sarif(checked, rules, types=types))


def _print(checked: Sequence[Checked], *, types: bool) -> None:
    for one in checked:
        for finding in one.findings:
            mark = " [--fix]" if finding.edits else ""
            click.echo(
                f"{one.path}:{finding.line}:{finding.column}: {finding.severity} {finding.rule} "
                f"{finding.message}. {finding.cure}.{mark}"
            )
        if one.reason:
            click.echo(f"{one.path}: unknown: {one.reason}")
    verdicts = [str(one.verdict) for one in checked]
    findings = [finding for one in checked for finding in one.findings]
    parts = [
        _counted(len(checked), "file"),
        *(f"{verdicts.count(name)} {word}" for name, word in
          (("PASS", "pass"), ("FAIL", "fail"), ("UNKNOWN", "unknown")) if name in verdicts),
        *(_counted(found, name) for name in ("error", "warning", "style")
          if (found := sum(str(one.severity) == name for one in findings))),
        *([] if types else ["types not checked"]),
    ]  # fmt: skip
    click.echo(", ".join(parts))


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 or word == "style" else f"{number} {word}s"


def _exit_code(checked: Iterable[Checked]) -> int:
    verdicts = {str(one.verdict) for one in checked}
    return 1 if "FAIL" in verdicts else 3 if "UNKNOWN" in verdicts else 0


def _list_rules(as_json: bool) -> int:
    from qc_builder_lora.backtest.check.rules import RULES
    from qc_builder_lora.backtest.check.told import OUTSIDE_THE_RULES

    rows = [(r.id, r.name, str(r.severity), r.repairs, r.summary) for r in RULES]
    rows += [(key, name, str(severity), False, summary)
             for key, (name, severity, summary) in OUTSIDE_THE_RULES.items()]  # fmt: skip
    if as_json:
        names = ("id", "name", "severity", "repairs", "summary")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in sorted(rows)]))
        return 0
    for key, name, severity, repairs, summary in sorted(rows):
        click.echo(f"{key}  {severity:<7}  {'fix' if repairs else '   '}  {name:<22}  {summary}")
    return 0


def _explain(name: str) -> int:
    from textwrap import fill, indent

    from qc_builder_lora.backtest.check.lint import chosen
    from qc_builder_lora.backtest.check.told import OUTSIDE_THE_RULES

    if name.upper() in OUTSIDE_THE_RULES:
        title, severity, summary = OUTSIDE_THE_RULES[name.upper()]
        click.echo(f"{name.upper()} {title} ({severity})\n\n{summary}")
        return 0
    for rule in chosen([name]):
        repairs = ", --fix repairs it" if rule.repairs else ""
        click.echo(f"{rule.id} {rule.name} ({rule.severity}{repairs})\n")
        click.echo(f"{fill(rule.summary, 80)}\n\n{fill(rule.why, 80)}\n")
        click.echo(f"Bad:\n\n{indent(rule.bad.rstrip(), '    ')}\n")
        click.echo(f"Good:\n\n{indent(rule.good.rstrip(), '    ')}\n")
        click.echo(f"To silence it on one line:  # noqa: {rule.id}")
    return 0
