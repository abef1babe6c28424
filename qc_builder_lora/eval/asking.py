"""Put a suite to a model: one answer a prompt, and each kept as soon as it is there.

The journal is the memory of a stopped run: what it has is not asked again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from qc_builder_lora.errors import ProviderError, QcLoraError
from qc_builder_lora.eval.score import Answer
from qc_builder_lora.eval.suite import Prompt, Suite
from qc_builder_lora.models.writer import Writer, new_request
from qc_builder_lora.progress import SILENT, Progress


def ask_all(
    writer: Writer,
    suite: Suite,
    journal: Path,
    *,
    max_tokens: int,
    deadline_s: float,
    at_once: int = 1,
    progress: Progress = SILENT,
) -> list[Answer]:
    """One answer a prompt, in the suite's order; those in the journal already are not asked again.

    `at_once` are asked at the same time, and each notes it: it took longer for that.

    A model that fails on a prompt has given no code for it: that is its answer. Where the server
    failed instead, the answer is unknown, and the next call asks again. Raises QcLoraError when
    it failed every time.
    """
    done = _read_journal(journal)
    journal.parent.mkdir(parents=True, exist_ok=True)
    written = 0.0
    start = time.monotonic()
    todo = [prompt for prompt in suite.prompts if prompt.id not in done]
    asked = _asked(todo, at_once, lambda prompt: _ask(writer, prompt, max_tokens, deadline_s))
    progress.update(len(done))
    for alone in asked:
        answer = replace(alone, at_once=at_once)
        done[answer.prompt_id] = answer
        written += answer.completion_tokens or 0
        progress.update(len(done), f"{written / (time.monotonic() - start + 1e-9):.0f} tok/s")
        if not answer.is_the_models:
            continue
        with journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(answer)) + "\n")
    progress.update(len(suite.prompts))
    answers = [done[prompt.id] for prompt in suite.prompts]
    if not any(answer.is_the_models for answer in answers):
        raise QcLoraError(
            f"No prompt of {suite.name!r} could be put to {writer.model}: {answers[0].error}"
        )
    return answers


def _asked(
    prompts: Sequence[Prompt], at_once: int, ask: Callable[[Prompt], Answer]
) -> Iterator[Answer]:
    """The answers in the prompts' order."""
    if at_once == 1:
        yield from map(ask, prompts)
        return
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="asking")
    try:
        yield from pool.map(ask, prompts)
    finally:
        # Not waited for: whoever stops us closes the writer, and that ends those under way.
        pool.shutdown(wait=False, cancel_futures=True)


def _ask(writer: Writer, prompt: Prompt, max_tokens: int, deadline_s: float) -> Answer:
    start = time.monotonic()
    try:
        draft = writer.write(
            new_request(prompt.instruction), max_tokens=max_tokens, deadline_s=deadline_s
        )
    except ProviderError as error:
        return Answer(
            prompt_id=prompt.id,
            code="",
            finish_reason=None,
            prompt_tokens=None,
            completion_tokens=None,
            latency_s=time.monotonic() - start,
            error=str(error),
            failure=error.kind,
        )
    return Answer(
        prompt_id=prompt.id,
        code=draft.code,
        finish_reason=draft.finish_reason,
        prompt_tokens=draft.prompt_tokens,
        completion_tokens=draft.completion_tokens,
        latency_s=draft.latency_s or time.monotonic() - start,
    )


def _read_journal(journal: Path) -> dict[str, Answer]:
    answers = {}
    if journal.exists():
        text = journal.read_text("utf-8", "replace")
        if not text.endswith("\n"):
            # Or the next answer would be written behind a torn line, and be lost with it.
            with journal.open("a", encoding="utf-8") as file:
                file.write("\n")
        for line in text.splitlines():
            try:
                answer = Answer(**json.loads(line))
            except (ValueError, TypeError):
                continue  # a torn last line: asked again
            answers[answer.prompt_id] = answer
    return answers
