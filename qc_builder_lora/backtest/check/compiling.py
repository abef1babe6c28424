"""Does it compile, as LEAN's own continuous integration means it: mypy with quantconnect-stubs.

Many codes share a run of mypy, which takes seconds once its cache is warm, but each is judged by
itself: nothing in one changes what is said of another. The messages that LEAN's run_syntax_check.py
passes over are passed over here too, and nothing else is; the imports that LEAN's AlgorithmImports
brings along are added as that script adds them. Comments that switch mypy off for a whole file
(`# mypy: ignore-errors`) are not honoured: they would make anything compile.
"""

from __future__ import annotations

import fcntl
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue

from qc_builder_lora.backtest.check.mypy_batch import Batch, Broken
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.check.prepared import Prepared, prepare
from qc_builder_lora.backtest.check.result import PASSED, CheckResult, TypeFault, failed, undecided
from qc_builder_lora.backtest.check.spelling import is_only_spelling
from qc_builder_lora.backtest.surface.numpy_names import REMOVED

# So many in one run that starting mypy does not count, so few that it stays under a gigabyte.
AT_A_TIME = 100
# Messages that LEAN's script ignores (run_syntax_check.py, should_ignore).
_IGNORED = (
    'variable has type "None"',
    '"None" has no attribute',
    '"object" has no attribute',
    "Exception type must be derived from BaseException",
    "Exception must be derived from BaseException",
    'Incompatible types in assignment (expression has type "float", variable has type "int")',
    'Incompatible types in assignment (expression has type "float | Any", variable has type "int")',
    'Argument 1 of "update" is incompatible with supertype "IndicatorBase"; supertype defines the '
    'argument type as "IBaseData"',
    *(
        f'Name "{name}" is not defined'
        for name in ("datetime", "np", "pd", "math", "time", "json", "timedelta")
    ),
)

_NO_NAME = re.compile(r'^Module (?:"numpy" )?has no attribute "(\w+)"')

Answer = list[TypeFault] | str
"""The faults found, none of them in code that compiles; or why nobody can say."""


def check_version() -> str:
    """What could change the answers: `mypy 2.3.1, quantconnect-stubs 18211`."""
    return ", ".join(f"{name} {_version(name)}" for name in ("mypy", "quantconnect-stubs"))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def compiles(codes: Sequence[str], cache: Path | None = None) -> list[CheckResult]:
    """One answer for each code, in order; `cache` keeps mypy's own cache between runs.

    UNKNOWN for all where mypy or the stubs are missing or mypy breaks down.
    """
    trees = [tree_of(code) for code in codes]
    parsed = [code for code, tree in zip(codes, trees, strict=True) if not isinstance(tree, str)]
    answers = iter(type_faults(parsed, cache))
    return [failed(tree) if isinstance(tree, str) else _result(next(answers)) for tree in trees]


def _result(answer: Answer) -> CheckResult:
    if isinstance(answer, str):
        return undecided(answer)
    return failed(*map(str, answer)) if answer else PASSED


def type_faults(
    codes: Sequence[str],
    cache: Path | None = None,
    told: Callable[[int], None] = lambda _: None,
    *,
    jobs: int = 1,
) -> list[Answer]:
    """The faults of each code, which must parse, in order. `told` hears how many are done; `jobs`
    runs of mypy go on at a time, each with a cache of its own."""
    if not codes:
        return []
    for name in ("mypy", "quantconnect-stubs"):
        if _version(name) == "not installed":
            return [f"{name} is not installed: pip install 'qc-builder-lora[check]'"] * len(codes)
    root = cache or Path(tempfile.gettempdir())
    folders: SimpleQueue[Path] = SimpleQueue()
    for job in range(jobs):
        folders.put(root / ("mypy" if job == 0 else f"mypy-{job + 1}"))
    size = min(AT_A_TIME, -(-len(codes) // jobs))
    parts = [codes[start : start + size] for start in range(0, len(codes), size)]
    answers: list[Answer] = []
    with ThreadPoolExecutor(jobs) as pool:
        for found in pool.map(lambda part: _in_a_free_one(part, folders), parts):
            answers += found
            told(len(answers))
    return answers


def _in_a_free_one(codes: Sequence[str], folders: SimpleQueue[Path]) -> list[Answer]:
    folder = folders.get()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return _some(codes, folder)
    finally:
        folders.put(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One mypy at a time in one cache."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _some(codes: Sequence[str], folder: Path) -> list[Answer]:
    prepared = [prepare(code) for code in codes]
    with tempfile.TemporaryDirectory(prefix="qc-lora-check-") as work:
        batch = Batch(Path(work), folder)
        try:
            found = batch.judge([one.text for one in prepared])
        except Broken as error:
            return [str(error)] * len(codes)
    return [_kept(one, answer) for one, answer in zip(prepared, found, strict=True)]


def _kept(one: Prepared, answer: Answer) -> Answer:
    """What LEAN would not pass over, at the columns of the code as it was handed in."""
    if isinstance(answer, str):
        return answer
    return [one.placed(fault) for fault in answer if not _passed_over(fault)]


def _passed_over(fault: TypeFault) -> bool:
    gone = _NO_NAME.search(fault.message)
    return (
        any(text in fault.message for text in _IGNORED)
        or is_only_spelling(fault.message)
        # The numpy installed here is newer than LEAN's.
        or (gone is not None and gone[1] in REMOVED)
    )
