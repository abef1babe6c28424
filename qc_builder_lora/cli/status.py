"""qc-lora status: who answers, models, the last turn, and what is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli.common import existing_store, facts, json_option, say_json
from qc_builder_lora.cli.taken_out import taken_out, told_of
from qc_builder_lora.errors import NotFound, StoreError

if TYPE_CHECKING:
    from qc_builder_lora.config import Settings
    from qc_builder_lora.records import Promotion
    from qc_builder_lora.store import Store


@click.command("status")
@json_option
def command(as_json: bool) -> None:
    """What answers now, what the last turn did, and what the next one waits for.

    How many secrets were taken out of what was harvested is in it; by source, it is in:
    qc-lora harvest status. Records that a builder's run could not write (a full disk), or that
    wait because the database was not there, are named. Before there is a database it says so, and
    makes none. One that cannot be used is exit code 1, and what waits in the spools is told all
    the same.

    \b
    Example:
      qc-lora status --json
    """
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.daemon import due, lease_holder, next_cron
    from qc_builder_lora.harvest.survey import survey

    settings = load_settings()
    try:
        store = existing_store(settings)
    except StoreError as error:
        _without_store(settings, {"database_error": str(error)}, as_json)
        raise
    if store is None:
        _without_store(settings, {"database": None}, as_json)
        return
    with store:
        found = due(settings, store)
        turns = store.turns.find(limit=1)
        production = store.models.production()
        history = store.promotions.history()
        plain: dict[str, Any] = {
            "home": str(settings.home.absolute()),
            "database": store.url,
            "production": production.id if production else None,
            "canary": _canary(history),
            "in_doubt": _in_doubt(store),
            "last_automatic_rollback": _taken_back(history),
            **_answers(settings, store),
            "models": {one.id: one.stage.value for one in store.models.find()},
            "last_turn": _turn(turns[0]) if turns else None,
            "turn_under_way": lease_holder(store),
            "new_strategies": found.new_strategies,
            "needed": found.needed,
            "waits_for": found.waits_for,
            "next_cron": str(next_cron(settings.retrain_cron)) if settings.retrain_cron else None,
            "redacted": taken_out(store),
            "spools": [spool.plain() for spool in survey(settings.home, store)],
            "counts": store.counts(),
        }
    if as_json:
        say_json(plain)
        return
    _show(plain)


def _without_store(settings: Settings, database: dict[str, Any], as_json: bool) -> None:
    """What can be told all the same: what the builders' runs left, and that it is safe."""
    from qc_builder_lora.harvest.survey import survey

    home = str(settings.home.absolute())
    spools = [spool.plain() for spool in survey(settings.home, None)]
    if as_json:
        say_json({"home": home, **database, "spools": spools})
        return
    told = "nothing yet" if "database" in database else "cannot be used, see below"
    facts([("home", home), ("database", told)])
    if not spools and "database" in database:
        click.echo("Record a builder with: qc-lora run SCRIPT")
    _show_troubles(spools)


def _canary(history: list[Promotion]) -> dict[str, Any] | None:
    from qc_builder_lora.store.course import course_of

    one = course_of(history).canary
    if one is None:
        return None
    return {"model": one.model_id, "share": one.share, "since": str(one.created_at)}


def _in_doubt(store: Store) -> dict[str, str] | None:
    from qc_builder_lora.models.watch import in_doubt

    one = in_doubt(store)
    return {"model": one.model, "beside": one.other} if one else None


def _taken_back(history: list[Promotion]) -> dict[str, Any] | None:
    found = [one for one in history if one.automatic]
    if not found:
        return None
    last = found[-1]
    return {"at": str(last.created_at), "model": last.previous_model_id, "reason": last.reason}


def _answers(settings: Settings, store: Store) -> dict[str, Any]:
    from qc_builder_lora.models.standing import who_answers

    try:
        chain = who_answers(settings, store)
    except NotFound as error:
        return {"answers": [], "nobody_answers": str(error)}
    cure = "no model to serve and no hosted key. Make one with: qc-lora turn, or set a key"
    return {
        "answers": [vars(standing) for standing in chain],
        "nobody_answers": None if chain else cure,
    }


def _told(plain: dict[str, Any]) -> str:
    """The chain in words: the first that can answers, the others are its fallback."""
    if not plain["answers"]:
        return f"nobody: {plain['nobody_answers']}"
    chain = [f"{one['provider']} {one['model']} ({one['why']})" for one in plain["answers"]]
    return ", then ".join(chain)


def _turn(turn: Any) -> dict[str, Any]:
    return {
        "id": turn.id,
        "trigger": turn.trigger,
        "status": turn.status.value,
        "started_at": str(turn.started_at),
        "finished_at": str(turn.finished_at) if turn.finished_at else None,
        "stages_done": list(turn.stages),
        "error": turn.error,
        "report": turn.stages.get("report", {}).get("path"),
    }


def _show(plain: dict[str, Any]) -> None:
    last = plain["last_turn"]
    told = "none yet"
    if last:
        told = f"{last['status']} ({last['trigger']}), started {last['started_at'][:16]}"
    facts(
        [
            ("home", plain["home"]),
            ("database", plain["database"]),
            ("in production", plain["production"] or "no model"),
            ("canary", _on_trial(plain["canary"])),
            ("answers", _told(plain)),
            ("last turn", told),
            ("under way", plain["turn_under_way"] or "nothing"),
            ("new strategies", f"{plain['new_strategies']} of {plain['needed']} that start a turn"),
            ("waits for", plain["waits_for"]),
            ("next cron", plain["next_cron"] or "not set"),
            ("secrets taken out", told_of(plain["redacted"])),
        ]
    )
    if doubt := plain["in_doubt"]:
        click.echo(
            f"in doubt: {doubt['model']} looks worse than {doubt['beside']} did; both answer until "
            "that is sure (holdback in eval/rollback.toml)"
        )
    if taken := plain["last_automatic_rollback"]:
        click.echo(f"taken back by itself {taken['at'][:16]}: {taken['model']}: {taken['reason']}")
    if last and last["error"]:
        click.echo(f"the last turn failed: {last['error']}")
    if last and last["report"]:
        click.echo(f"report: {last['report']}")
    for model, stage in plain["models"].items():
        click.echo(f"  {stage:<10} {model}")
    _show_troubles(plain["spools"])


def _on_trial(canary: dict[str, Any] | None) -> str:
    if canary is None:
        return "none"
    return f"{canary['model']}, {canary['share']:.0%} of the Builds since {canary['since'][:16]}"


def _show_troubles(spools: list[dict[str, Any]]) -> None:
    for spool in spools:
        for line in _troubles(spool):
            click.echo(f"harvest: spool {spool['id']}: {line}")


def _troubles(spool: dict[str, Any]) -> list[str]:
    waiting = spool["records"] - (spool["taken"] or 0)
    found = []
    if spool["unreadable"]:
        return [f"it cannot be read: {spool['unreadable']}"]
    if not (spool["records"] or spool["torn"] or spool["damaged"] or spool["running"]):
        found.append("no record could be written (a full disk? or the run was killed)")
    if spool["lost"]:
        found.append(f"{spool['lost']} records were lost when written (a full disk?)")
    if spool["damaged"]:
        found.append(f"{spool['damaged']} damaged records were passed over")
    if spool["torn"]:
        found.append(
            f"its last record was cut short after {spool['torn']} bytes, and what came after it "
            "was lost (a full disk? or the run was killed)"
        )
    if waiting:
        found.append(f"{waiting} records wait: qc-lora harvest ingest")
    return found
