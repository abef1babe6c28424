"""qc-lora daemon: the scheduler in the foreground, for a service unit or a terminal."""

from __future__ import annotations

import logging

import click


@click.command("daemon")
@click.option("--poll", type=float, help="Seconds between looks; default: the setting `poll_s`.")
@click.option("--min-new", type=int, help="New accepted strategies that start a turn.")
@click.option("--cron", help="Also start a turn then, in UTC, e.g. '0 3 * * 6'.")
@click.option("--verbose", is_flag=True, help="Say as well when nothing is due.")
def command(poll: float | None, min_new: int | None, cron: str | None, verbose: bool) -> None:
    """Make a turn of the loop whenever one is due; takes up one that was cut off.

    Any number may run on one database: one of them makes the turn.

    \b
    Examples:
      qc-lora daemon
      qc-lora daemon --min-new 20 --cron "0 3 * * *"
      QC_LORA_LOG_FORMAT=json qc-lora daemon
    """
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.daemon import Daemon
    from qc_builder_lora.log import configure
    from qc_builder_lora.store import Store

    settings = load_settings(poll_s=poll, retrain_min_new=min_new, retrain_cron=cron)
    store = Store.open(settings.database_url)
    configure(settings.log_format, logging.DEBUG if verbose else logging.INFO)
    with store:
        Daemon(settings, store).run()
