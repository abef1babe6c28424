"""What a part of the corpus is worth: adapters trained with and without it, on one suite.

    python bench/gpu/arms.py answer --base FOLDER --adapter all=RUN/adapter --out DIR
    python bench/gpu/arms.py judge DIR [--suite golden]

`answer` wants a GPU (all prompts of the suite at once, bf16, the most probable token each time) and
writes NAME.jsonl an arm, with `--base-arm` the base's too. `judge` wants none: every answer through
the same checks, backtests and constraints as `qc-lora eval` uses, and the arms against the first
one by McNemar's exact test on the prompts they differ in. What is *served* is a quantised file and
may answer otherwise; that is what `qc-lora eval --suite golden` is for. Prints a table, writes
bench/results/arms.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results" / "arms.json"
RATES = ("parses", "compiles", "runs", "trades", "faithful")


def answer(given: argparse.Namespace) -> int:
    """Every arm's answers, one file each."""
    import torch
    from peft import PeftModel

    from qc_builder_lora.eval.suite import load_suite
    from qc_builder_lora.retrain.base import load_model, load_tokenizer

    if not torch.cuda.is_available():
        print("no GPU here: nothing was asked")
        return 0
    suite = load_suite(given.suite)
    tokenizer = load_tokenizer(given.base)
    given.out.mkdir(parents=True, exist_ok=True)
    arms = [tuple(text.split("=", 1)) for text in given.adapter]
    for name, adapter in [("base", "")] * given.base_arm + arms:
        model = load_model(given.base, "bf16").cuda().eval()
        if adapter:
            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        began = time.monotonic()
        texts, counts = written(model, tokenizer, suite, given)
        lines = []
        for prompt, text, count in zip(suite.prompts, texts, counts, strict=True):
            lines.append(json.dumps({"prompt_id": prompt.id, "text": text, "tokens": count}) + "\n")
        (given.out / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        seconds = time.monotonic() - began
        print(f"{name}: {sum(counts):,} tokens in {seconds:.0f} s", flush=True)
    return 0


def written(model: Any, tokenizer: Any, suite: Any, given: argparse.Namespace) -> tuple[Any, Any]:
    """Texts and token counts, in the suite's order."""
    import torch

    from qc_builder_lora.template import get_template

    template = get_template(given.template)
    end = tokenizer.convert_tokens_to_ids(template.end_of_turn)
    texts, counts = [], []
    for start in range(0, len(suite.prompts), given.at_once):
        ids = [
            tokenizer(template.render(prompt.instruction), add_special_tokens=False)["input_ids"]
            for prompt in suite.prompts[start : start + given.at_once]
        ]
        if template.bos:
            ids = [[tokenizer.bos_token_id, *one] for one in ids]
        width = max(len(one) for one in ids)
        pad = tokenizer.pad_token_id or 0
        padded = torch.tensor([[pad] * (width - len(one)) + one for one in ids]).cuda()
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in ids]).cuda()
        with torch.no_grad():
            made = model.generate(
                input_ids=padded,
                attention_mask=mask,
                max_new_tokens=given.max_tokens,
                do_sample=False,
                eos_token_id=end,
                pad_token_id=pad,
                use_cache=True,
            )
        for row in made[:, width:].tolist():
            own = row[: row.index(end)] if end in row else row
            texts.append(tokenizer.decode(own, skip_special_tokens=True))
            counts.append(len(own))
    return texts, counts


def judge(given: argparse.Namespace) -> int:
    """Every file of answers in a folder through the funnel; the table."""
    from qc_builder_lora.backtest.engines import ready_engine
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.eval.score import judge_all
    from qc_builder_lora.eval.suite import load_suite
    from qc_builder_lora.progress import show_progress

    suite = load_suite(given.suite)
    settings = load_settings()
    engine = ready_engine(settings)
    scored: dict[str, Any] = {}
    for path in sorted(given.folder.glob("*.jsonl"), key=lambda one: one.stem != given.first):
        answers = [_answer(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
        with show_progress(f"Judge {path.stem}", len(answers)) as progress:
            scored[path.stem] = judge_all(
                answers,
                suite,
                engine,
                model=path.stem,
                cache=settings.cache_folder,
                jobs=settings.usable_jobs,
                progress=progress,
            )
    made: dict[str, Any] = {"suite": suite.name, "suite_sha256": suite.sha256}
    made["engine"] = f"{engine.name} {engine.version}"
    rows = {name: scores.plain() for name, scores in scored.items()}
    made["arms"] = rows
    made["against"] = {
        name: {rate: _against(scores, scored[given.first], rate) for rate in RATES}
        for name, scores in scored.items()
        if name != given.first and given.first in scored
    }
    say(made, given.first)
    RESULTS.write_text(json.dumps(made, indent=2) + "\n")
    if given.keep:
        for name, scores in scored.items():
            text = json.dumps([asdict(one) for one in scores.judged], default=str)
            (given.folder / f"{name}.judged.json").write_text(text)
    return 0


def _answer(line: dict[str, Any]) -> Any:
    from qc_builder_lora.eval.score import Answer
    from qc_builder_lora.template import extract_code

    return Answer(
        prompt_id=line["prompt_id"],
        code=extract_code(line["text"]),
        finish_reason=None,
        prompt_tokens=None,
        completion_tokens=line["tokens"],
        latency_s=None,
    )


def _against(scores: Any, first: Any, rate: str) -> dict[str, Any]:
    """Prompts that only one of two arms gets, and McNemar's exact p; unknowns are left out."""
    from qc_builder_lora.eval.statistics import discordant, mcnemar_exact

    won, lost, _ = discordant(
        [
            (getattr(other, rate), getattr(one, rate))
            for one, other in zip(scores.judged, first.judged, strict=True)
        ]
    )
    return {"won": won, "lost": lost, "p": round(mcnemar_exact(won, lost), 5)}


def say(made: dict[str, Any], first: str) -> None:
    """The table: counts of each arm, of its groups and styles, and against the first arm."""
    print(f"{'arm':<34}{'n':>5}" + "".join(f"{rate:>10}" for rate in RATES))
    for name, row in made["arms"].items():
        parts = {"": row, **row["groups"], **row["styles"]}
        for part, counts in parts.items():
            label = f"{name} {part}".strip()
            cells = "".join(f"{counts[rate]:>10}" for rate in RATES)
            print(f"{label:<34}{counts['n']:>5}{cells}")
    for name, rates in made["against"].items():
        for rate, one in rates.items():
            print(f"{name} against {first}, {rate}: +{one['won']} -{one['lost']}, p {one['p']}")


def main() -> int:
    """Answer, or judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--suite", default="golden")
    verbs = parser.add_subparsers(required=True)
    asks = verbs.add_parser("answer", help="on a GPU: one file of answers an arm")
    asks.add_argument("--base", type=Path, required=True, help="a converted base's folder")
    asks.add_argument("--base-arm", action="store_true", help="ask the base as it comes too")
    asks.add_argument("--adapter", action="append", default=[], help="NAME=FOLDER; repeated")
    asks.add_argument("--template", default="gemma")
    asks.add_argument("--max-tokens", type=int, default=768)
    asks.add_argument("--at-once", type=int, default=100)
    asks.add_argument("--out", type=Path, required=True)
    asks.set_defaults(run=answer)
    judges = verbs.add_parser("judge", help="anywhere: the table")
    judges.add_argument("folder", type=Path)
    judges.add_argument("--first", default="all", help="the arm that the others are held against")
    judges.add_argument("--keep", action="store_true", help="write every judged answer too")
    judges.set_defaults(run=judge)
    given = parser.parse_args()
    return int(given.run(given))


if __name__ == "__main__":
    sys.exit(main())
