"""llama.cpp's own part of a release: quantise a file, and score completions with it.

Both run in a child process (`python -m qc_builder_lora.release.llama`), because llama.cpp ends the
process it is in when something in it fails.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import MissingExtra, ParityError
from qc_builder_lora.progress import SILENT, Progress

# llama.cpp's file types (llama.h, enum llama_ftype).
FILE_TYPES = {"Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18, "Q8_0": 7, "F16": 1}
_ROWS = 256


@dataclass(frozen=True)
class Scored:
    """Summed negative log-likelihood of completion tokens, in nats, and how many there were."""

    nll: float
    tokens: int
    prompts_equal: int
    """Prompts that llama.cpp cuts into exactly the tokens the training used."""
    prompts: int

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.nll / self.tokens


@dataclass(frozen=True)
class Passage:
    """A prompt's text with the training's tokens for it, and the completion's tokens."""

    text: str
    prompt: tuple[int, ...]
    completion: tuple[int, ...]


def quantise(source: Path, target: Path, kind: str, threads: int) -> None:
    """Write `source` (F16) as `kind` (a key of FILE_TYPES), atomically."""
    temporary = target.with_suffix(".tmp")
    _child(["quantise", str(source), str(temporary), str(FILE_TYPES[kind]), str(threads)], "")
    temporary.replace(target)


def score(
    model: Path,
    passages: Sequence[Passage],
    threads: int,
    *,
    lora: Path | None = None,
    progress: Progress = SILENT,
) -> Scored:
    """How likely the model, as llama.cpp runs it, finds the completions."""
    lines = "\n".join(
        json.dumps({"text": p.text, "prompt": p.prompt, "completion": p.completion})
        for p in passages
    )
    arguments = ["score", str(model), str(threads), str(lora or "")]
    output = _child(arguments, lines, lambda line: progress.update(int(line)))
    return Scored(**json.loads(output))


def _child(arguments: list[str], text: str, tell: Any = None) -> str:
    """Run this module; its last line of output. Lines before it are progress."""
    command = [sys.executable, "-m", "qc_builder_lora.release.llama", *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_WAIT_POLICY": "passive"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        try:
            process.stdin.write(text)
            process.stdin.close()
        except BrokenPipeError:
            pass  # its end is told below, with its reason
        last = ""
        for line in process.stdout:
            if last and tell is not None:
                tell(last)
            last = line.strip()
        errors = process.stderr.read()
    if process.returncode != 0:
        if "No module named 'llama_cpp'" in errors:
            raise MissingExtra("serve", "llama-cpp-python")
        reason = errors.strip().splitlines()[-1:] or ["no message"]
        raise ParityError(
            f"llama.cpp ended with code {process.returncode} in {' '.join(arguments[:2])}: "
            f"{reason[0]}"
        )
    return last


def _quantise(source: str, target: str, file_type: str, threads: str) -> None:
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = int(file_type)
    parameters.nthread = int(threads)
    code = llama_cpp.llama_model_quantize(
        source.encode(), target.encode(), ctypes.byref(parameters)
    )
    if code != 0:
        raise RuntimeError(f"llama_model_quantize answered {code} for {source}")


def _score(model: str, threads: str, lora: str) -> None:
    import llama_cpp

    passages = [json.loads(line) for line in sys.stdin]
    longest = max(len(p["prompt"]) + len(p["completion"]) for p in passages)
    llama = llama_cpp.Llama(
        model,
        n_ctx=longest + 8,
        n_batch=_ROWS,
        n_ubatch=_ROWS,
        n_threads=int(threads),
        n_threads_batch=int(threads),
        lora_path=lora or None,
        verbose=False,
    )
    total, count, equal = 0.0, 0, 0
    for done, passage in enumerate(passages):
        own = llama.tokenize(passage["text"].encode(), add_bos=False, special=True)
        bos = llama.token_bos()
        equal += passage["prompt"] in (own, [bos, *own])
        total += _nll(llama_cpp, llama, passage["prompt"], passage["completion"])
        count += len(passage["completion"])
        _say(done + 1)
    result = {"nll": total, "tokens": count, "prompts_equal": equal, "prompts": len(passages)}
    _say(json.dumps(result))


def _nll(llama_cpp: Any, llama: Any, prompt: list[int], completion: list[int]) -> float:
    """Decode prompt and completion in one sequence; logits only where the completion is told."""
    import numpy as np

    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(llama.ctx), True)
    tokens = prompt + completion
    vocabulary = llama.n_vocab()
    total = 0.0
    for start in range(0, len(tokens), _ROWS):
        part = tokens[start : start + _ROWS]
        batch = llama_cpp.llama_batch_init(len(part), 0, 1)
        batch.n_tokens = len(part)
        wanted = []
        for index, token in enumerate(part):
            at = start + index
            batch.token[index] = token
            batch.pos[index] = at
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = len(prompt) - 1 <= at < len(tokens) - 1
            if batch.logits[index]:
                wanted.append((index, tokens[at + 1]))
        code = llama_cpp.llama_decode(llama.ctx, batch)
        if code != 0:
            raise RuntimeError(f"llama_decode answered {code}")
        for index, target in wanted:
            pointer = llama_cpp.llama_get_logits_ith(llama.ctx, index)
            logits = np.ctypeslib.as_array(pointer, shape=(vocabulary,)).astype(np.float64)
            peak = logits.max()
            total += float(peak + np.log(np.exp(logits - peak).sum()) - logits[target])
        llama_cpp.llama_batch_free(batch)
    return total


def _say(value: object) -> None:
    sys.stdout.write(f"{value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "quantise":
        _quantise(*sys.argv[2:])
    else:
        _score(*sys.argv[2:])
