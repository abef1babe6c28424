"""Every mistake is proven on real parts: mypy with the stubs, the rules, and the simulator."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from qc_builder_lora.backtest.check import compiles
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.harvest.corpus.fixes.kinds import MUTATIONS
from qc_builder_lora.harvest.corpus.fixes.mutation import Stage
from qc_builder_lora.harvest.corpus.fixes.pairs import break_with
from qc_builder_lora.harvest.corpus.fixes.proof import Broken, Fault, prove
from qc_builder_lora.harvest.corpus.starter import draws, load_manifest
from qc_builder_lora.ids import json_hash, now
from qc_builder_lora.records import Example

TRIES = 3
"""Families that each mistake is tried on; it must be proven on one."""


@pytest.fixture(scope="module")
def proven(
    tmp_path_factory: pytest.TempPathFactory, check_cache: Path
) -> dict[str, list[tuple[Broken, Fault | str]]]:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    data = tmp_path_factory.mktemp("bars") / "data"
    convert(data)
    broken = [one for name in MUTATIONS for one in tried(name)]
    simulator = Simulator(data, allow_open_sandbox=True)
    execution = Execution(simulator, lambda codes: compiles(codes, cache=check_cache), 2)
    found = defaultdict(list)
    for one, proof in prove(broken, execution):
        found[one.mutation.name].append((one, proof))
    simulator.close()
    return dict(found)


def tried(name: str) -> list[Broken]:
    found: list[Broken] = []
    for base in BASES:
        one = break_with(base, name, 1)
        if one is not None and len(found) < TRIES:
            found.append(one)
    return found


def base_of(code: str, number: int, family: str, instruction: str) -> Example:
    return Example(
        id=json_hash([number, code]), instruction=instruction, code=code, family=family,
        source="families", licence="Apache-2.0", created_at=now(),
    )  # fmt: skip


DRAWN = draws(replace(load_manifest("full"), examples_per_family=1), set(), synthetic=False)
BASES = [
    base_of(
        # Two years are enough to fail in.
        replace(
            draw, frame=replace(draw.frame, start=date(2009, 1, 1), end=date(2010, 12, 31))
        ).code,
        number,
        draw.family.name,
        draw.instruction,
    )
    for number, draw in enumerate(DRAWN)
]


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_fails_where_it_is_meant_to_in_the_words_of_who_refused_it(
    name: str, proven: dict[str, list[tuple[Broken, Fault | str]]]
) -> None:
    faults = [proof for _, proof in proven[name] if isinstance(proof, Fault)]
    assert faults, [proof for _, proof in proven[name]]
    for fault in faults:
        assert fault.stage in MUTATIONS[name].meant
        said = {
            Stage.PARSE: "line |derives from QCAlgorithm",
            Stage.COMPILE: "line ",
            Stage.RULES: ": QC0",
            Stage.RUN: "Runtime Error: ",
            Stage.TRADES: "no order was filled: Total Orders ",
        }[fault.stage]
        assert any(word in fault.message for word in said.split("|")), fault


def test_most_of_what_is_tried_fails_and_every_stage_is_seen(
    proven: dict[str, list[tuple[Broken, Fault | str]]],
) -> None:
    proofs = [proof for ones in proven.values() for _, proof in ones]
    failed = [proof for proof in proofs if isinstance(proof, Fault)]
    assert len(failed) > 0.8 * len(proofs), Counter(p for p in proofs if isinstance(p, str))
    assert {fault.stage for fault in failed} == set(Stage)


def test_good_code_is_not_said_to_fail(check_cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("bokeh_sampledata", reason="the sample data is an extra")
    convert(tmp_path / "data")
    simulator = Simulator(tmp_path / "data", allow_open_sandbox=True)
    execution = Execution(simulator, lambda codes: compiles(codes, cache=check_cache))
    chosen = [base for base in BASES if base.family == "sma_cross"]
    fine = [
        Broken(base, MUTATIONS[name], 1, base.code + "\n# a comment\n")
        for base in chosen
        for name in ("not_ready", "invented_method", "missing_colon", "wrong_callback")
    ]
    proofs = [proof for _, proof in prove(fine, execution)]
    simulator.close()
    assert proofs == ["did not fail"] * 4
