"""Error-fix pairs from builders: an answer that failed, and the accepted one that came after it.

The message is the one that was recorded. A failure that nobody wrote down, or that was never
mended, is no pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qc_builder_lora.harvest.accept import SOURCE as BUILDER
from qc_builder_lora.harvest.accept import family_of, licence_of, own_run
from qc_builder_lora.harvest.corpus.fixes.asking import asked
from qc_builder_lora.harvest.corpus.fixes.funnel import SOURCE, FixFunnel
from qc_builder_lora.harvest.corpus.fixes.pairs import KIND, VERSION
from qc_builder_lora.harvest.labels import Label
from qc_builder_lora.harvest.questions import request_of
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.ids import example_id, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Example, Generation, Role
from qc_builder_lora.store import Store

FAILURES = (Label.SYNTAX_ERROR, Label.COMPILE_ERROR, Label.RUNTIME_ERROR, Label.NO_TRADES)
_LONGEST = 2000
"""Characters of a message; a stack trace says what it says at its ends."""


def add_chains(store: Store, rules: Rules, progress: Progress = SILENT) -> FixFunnel:
    """All pairs that the store's builds give; those that it has are not added again."""
    funnel = FixFunnel(source=f"{SOURCE} of builders")
    accepted = {strategy.id for strategy in store.strategies.accepted(rules.line)}
    for number, build in enumerate(store.builds.each(), 1):
        chain = store.generations.find(build_id=build.id, role=Role.SERVED, oldest_first=True)
        chain.sort(key=lambda one: (one.iteration or 0, one.created_at))
        for failed, mended in _mended(chain, accepted, funnel):
            _add(store, failed, mended, funnel)
        progress.update(number, f"{funnel.counts['kept']} kept")
    return funnel


def _mended(
    chain: Sequence[Generation], accepted: set[str], funnel: FixFunnel
) -> Iterator[tuple[Generation, Generation]]:
    """Each failure with the first accepted answer after it."""
    for at, failed in enumerate(chain):
        if failed.label not in FAILURES or not failed.code.strip():
            continue
        funnel.counts["in"] += 1
        later = (one for one in chain[at + 1 :] if one.strategy_id in accepted)
        mended = next(later, None)
        if not (failed.error or "").strip():
            funnel.stopped["no message was recorded"] += 1
        elif mended is None:
            funnel.stopped["never mended"] += 1
        elif mended.strategy_id == failed.strategy_id:
            # It failed for a reason that is not in the code.
            funnel.stopped["the same strategy was accepted"] += 1
        else:
            yield failed, mended


def _add(store: Store, failed: Generation, mended: Generation, funnel: FixFunnel) -> None:
    request = request_of(store, failed)
    message = _short((failed.error or "").strip())
    number = int(text_hash(f"style/{failed.id}")[:8], 16)
    style, instruction = asked(number, request.instruction, message, failed.code)
    key = example_id(instruction, mended.code)
    family = family_of(store, mended)
    new = not store.examples.has(key)
    if new:
        store.examples.add(
            Example(
                id=key,
                instruction=instruction,
                code=mended.code,
                family=family,
                source=SOURCE,
                licence=licence_of(store, mended),
                created_at=mended.created_at,
                style=style,
                strategy_id=mended.strategy_id,
                backtest_id=own_run(store, mended),
                version=VERSION,
                origin={
                    "kind": KIND,
                    "base": _base(store, request.instruction, mended),
                    "source": BUILDER,
                    "generation": failed.id,
                    "mutation": str(failed.label),
                    "stage": str(failed.label),
                    "request": request.instruction,
                    "broken": failed.code,
                },
            )
        )
    funnel.keep("(a model's own)", str(failed.label), family, new=new)


def _base(store: Store, instruction: str, mended: Generation) -> str | None:
    """The plain example of the same answer, if there is one."""
    key = example_id(instruction, mended.code)
    return key if store.examples.has(key) else None


def _short(message: str) -> str:
    if len(message) <= _LONGEST:
        return message
    half = _LONGEST // 2
    return f"{message[:half]}\n[...]\n{message[-half:]}"
