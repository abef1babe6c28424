"""qc-lora cost: the bill."""

from __future__ import annotations

from decimal import Decimal

import click

from qc_builder_lora.cli.common import json_option, moment, opened, say_json, table

_LEAST = Decimal("0.0001")


@click.command("cost")
@click.option(
    "--by", type=click.Choice(["build", "day", "model"]), default="day", show_default=True,
    help="What a row is.",
)  # fmt: skip
@click.option("--since", help="12h, 7d, 4w, or an ISO date; default: everything.")
@json_option
def command(by: str, since: str | None, as_json: bool) -> None:
    """What hosted models cost, and what the local one saved.

    Money set aside by a call that never ended counts as spent. Saved is what the first hosted
    model of the chain would have taken for the tokens of the local one, by the price table.

    \b
    Examples:
      qc-lora cost
      qc-lora cost --by build --since 7d
      qc-lora cost --by model --json
    """
    from qc_builder_lora.models.bill import bill
    from qc_builder_lora.models.prices import load_prices
    from qc_builder_lora.models.standing import HOSTED

    settings, store = opened()
    first = next((name for name in settings.providers if name in HOSTED), HOSTED[0])
    instead = (first, str(getattr(settings, f"{first}_model")))
    names = frozenset(getattr(settings, f"{name}_model") for name in HOSTED)
    with store:
        lines = bill(
            store, by, since=moment(since) if since else None, instead=instead, hosted=names,
            prices=load_prices(),
        )  # fmt: skip
    if as_json:
        say_json({"compared_with": instead[1], "lines": [one.plain(by) for one in lines]})
        return
    table(
        (by, "hosted calls", "spent $", "still open $", "local answers", "saved $"),
        [(one.key, one.calls, _usd(one.spent), _usd(one.open), one.local, _usd(one.saved))
         for one in lines],
    )  # fmt: skip
    if lines:
        total = sum((one.spent for one in lines), Decimal(0))
        click.echo(f"\nspent {_usd(total)} dollars; saved is compared with {instead[1]}")


def _usd(amount: Decimal | None) -> str | None:
    if amount is not None and 0 < amount < _LEAST:
        return f"<{_LEAST}"  # Little is not nothing.
    return None if amount is None else f"{amount:.4f}"
