"""qc-lora serve: the OpenAI-compatible endpoint in front of the fallback chain."""

from __future__ import annotations

from pathlib import Path

import click

from qc_builder_lora.config import load_settings
from qc_builder_lora.log import configure


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8900, show_default=True, help="Port; 0 takes a free one.")
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the API key; made, readable for you alone, if it is not there; read again "
    "when it changes.",
)
def command(host: str, port: int, key_file: Path | None) -> None:
    """Serve the chain over HTTP, for any client of OpenAI's.

    \b
    Example:
      qc-lora serve --key-file .qc-lora/gateway.key
      curl -H "Authorization: Bearer $(cat .qc-lora/gateway.key)" http://127.0.0.1:8900/v1/models
    """
    from qc_builder_lora.gateway.serving import listen, new_key, read_key, serve
    from qc_builder_lora.models.provider import StrategyProvider
    from qc_builder_lora.models.rotating import RotatingKey

    settings = load_settings()
    configure(settings.log_format)
    key, made = read_key(key_file) if key_file else (new_key(), True)
    with listen(host, port) as listener:
        provider = StrategyProvider(settings)
        answers = ", ".join(writer.name for writer in provider.chain.writers)
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"http://{shown}:{listener.getsockname()[1]}/v1  (answers: {answers})")
        if made:
            where = f", kept in {key_file}" if key_file else "; it is not shown again"
            click.echo(f"API key: {key}{where}")
        serve(provider, RotatingKey(key, key_file) if key_file else key, listener)
