"""qc-lora review: rate two models' answers without knowing whose they are."""

from __future__ import annotations

import webbrowser

import click

from qc_builder_lora.cli.common import json_option, opened, resolve, say_json


@click.command("review")
@click.argument("model", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option("--open", "browse", is_flag=True, help="Open the page in the browser.")
@click.option("--summary", is_flag=True, help="Print what the raters said so far, and end.")
@json_option
def command(
    model: str | None, host: str, port: int, browse: bool, summary: bool, as_json: bool
) -> None:
    """Show the pairs of MODEL (default: the newest) blind, in random order, to be rated by keys.

    A, B and T choose, 1 to 5 score, Enter saves. You may stop and go on; several may rate. Who is
    who, and how far raters agree, is told at the end, with the way to the report and the decision.

    \b
    Examples:
      qc-lora review --open
      qc-lora review --summary --json
    """
    from qc_builder_lora.cli.report import drawn
    from qc_builder_lora.gateway.serving import listen
    from qc_builder_lora.release.register import promote
    from qc_builder_lora.stages import newest_model
    from qc_builder_lora.web.blind import Blind
    from qc_builder_lora.web.serving import link, new_token, serve

    settings, store = opened()
    with store:
        chosen = (
            resolve(store.models.find(), "model", model, "qc-lora model list")
            if model
            else newest_model(store)
        )
        blind = Blind(store, chosen.id)
        if summary or as_json:
            say_json(blind.summary())
            return
        token = new_token()
        with listen(host, port) as listener:
            url = link(host, listener, token).replace("/?", f"/review/{chosen.id}?")
            click.echo(url)
            click.echo(
                f"{len(blind)} pairs. Whoever has this link can rate and decide. Ctrl-C ends it."
            )
            if browse:
                webbrowser.open(url)
            serve(store, promote, listener, host, token, lambda: drawn(settings.home))
