"""qc-lora report: the page a person reads before switching."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qc_builder_lora.cli.common import SHORT, facts, json_option, opened, resolve, say_json, table

if TYPE_CHECKING:
    from qc_builder_lora.web.views import Shown


@click.group("report")
def command() -> None:
    """Build, list, open and serve reports.

    \b
    Examples:
      qc-lora report build
      qc-lora report build --markdown > verdict.md
      qc-lora report list
      qc-lora report open
      qc-lora report serve --open
    """


@command.command()
@click.argument("model", required=False)
@click.option("--suite", help="The suite that was evaluated; default: the setting `suite`.")
@click.option("--live", is_flag=True, help="From `qc-lora shadow judge`, not from a suite.")
@click.option("--markdown", is_flag=True, help="Print the verdict for a pull request.")
@json_option
def build(model: str | None, suite: str | None, live: bool, markdown: bool, as_json: bool) -> None:
    """Write the report about MODEL (default: the newest) from its last evaluation.

    \b
    Examples:
      qc-lora report build
      qc-lora report build --live --markdown
    """
    from qc_builder_lora.eval.markdown import as_markdown
    from qc_builder_lora.stages import newest_model, report_on

    settings, store = opened()
    with store:
        chosen = (
            resolve(store.models.find(), "model", model, "qc-lora model list")
            if model
            else newest_model(store)
        )
        made = report_on(settings, store, chosen, suite=suite, live=live)
    if as_json:
        say_json(made)
        return
    if markdown:
        click.echo(as_markdown(made["contest"], made))
        return
    click.echo(made["sentence"])
    facts([("report", made["path"]), ("sha256", made["sha256"])])
    decision = f"qc-lora model promote {chosen.id} --report {made['path']} --by NAME"
    if made["verdict"] in ("worse", "undecided"):
        decision = f"qc-lora report open {made['path']}"
    click.echo(f"next: {decision}")


@command.command("list")
@json_option
def list_reports(as_json: bool) -> None:
    """All verdicts with their reports, newest first.

    \b
    Example:
      qc-lora report list
    """
    _, store = opened()
    with store:
        found = store.verdicts.find()
    if as_json:
        say_json(
            [
                {
                    "model": one.challenger,
                    "against": one.champion,
                    "verdict": one.kind.value,
                    "path": one.report_path,
                    "sha256": one.report_sha256,
                    "created_at": one.created_at,
                }
                for one in found
            ]
        )
        return
    table(
        ("made", "model", "against", "verdict", "report"),
        [
            (
                f"{o.created_at:%Y-%m-%d %H:%M}",
                o.challenger,
                o.champion,
                o.kind.value,
                o.report_path,
            )
            for o in found
        ],
    )


@command.command("open")
@click.argument("path", required=False, type=click.Path(path_type=Path))
def open_report(path: Path | None) -> None:
    """Open a report (default: the newest) in the browser.

    \b
    Example:
      qc-lora report open
    """
    from qc_builder_lora.errors import NotFound

    if path is None:
        _, store = opened()
        with store:
            found = [one for one in store.verdicts.find() if one.report_path]
        if not found:
            raise NotFound("report", "(newest)", "Build one with: qc-lora report build")
        path = Path(str(found[0].report_path))
    if not path.exists():
        raise NotFound("report", str(path), "See which there are: qc-lora report list")
    _say_unknown(path)
    click.echo(path)
    webbrowser.open(path.absolute().as_uri())


def _say_unknown(path: Path) -> None:
    """A report that the database does not know can be read, but nobody can decide by it."""
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.errors import QcLoraError
    from qc_builder_lora.ids import file_hash
    from qc_builder_lora.store import Store

    digest = file_hash(path)
    try:
        with Store.open(load_settings().database_url, upgrade=False) as store:
            if store.verdicts.find(report_sha256=digest, limit=1):
                return
            where = store.url
    except QcLoraError as error:
        where = f"none can be read ({error})"
    click.echo(
        f"The database does not know this report (SHA-256 {digest[:SHORT]}…; database: {where}): "
        "it was changed, or the database was reset since. Nobody can decide by it; build a new one "
        "with: qc-lora report build",
        err=True,
    )


@command.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option("--open", "browse", is_flag=True, help="Open the page in the browser.")
def serve(host: str, port: int, browse: bool) -> None:
    """A page to read the reports on and to decide: promote, or roll back.

    It prints a link that holds a new token after every start; without it nothing is shown.

    \b
    Example:
      qc-lora report serve --open
    """
    from qc_builder_lora.gateway.serving import listen
    from qc_builder_lora.release.register import promote
    from qc_builder_lora.web.serving import is_loopback, link, new_token
    from qc_builder_lora.web.serving import serve as answer

    token = new_token()
    with listen(host, port) as listener:
        settings, store = opened()
        with store:
            url = link(host, listener, token)
            click.echo(url)
            click.echo("Whoever has this link can decide. Ctrl-C ends it.")
            if not is_loopback(host):
                click.echo(
                    f"{host} is not loopback: the link crosses the network unencrypted. Use it "
                    "behind TLS, or through: ssh -L PORT:127.0.0.1:PORT",
                    err=True,
                )
            if browse:
                webbrowser.open(url)
            answer(store, promote, listener, host, token, lambda: drawn(settings.home))


def drawn(home: Path) -> Shown:
    """How the blind review draws answers, from what evaluations under `home` have found."""
    from qc_builder_lora.eval.shown import Answers, highlighted
    from qc_builder_lora.web.views import Shown

    answers = Answers(home)
    return Shown(code=highlighted, note=answers.note, has_plot=answers.has_plot, plot=answers.plot)
