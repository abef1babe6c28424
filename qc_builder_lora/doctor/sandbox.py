"""The walls around strategies on this machine, each tried from the inside."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.protocol import Limits
from qc_builder_lora.backtest.sandbox import bubblewrap, refusals
from qc_builder_lora.backtest.sandbox.launch import Zygote
from qc_builder_lora.config import Settings
from qc_builder_lora.doctor.line import Line, State
from qc_builder_lora.errors import BacktestError, QcLoraError

_PROBE = Path(refusals.__file__).with_name("probe")
_LENGTH = struct.Struct("<I")
_LIMITS = Limits(wall_s=10, cpu_s=10, memory_mb=256)
_MOST = 1 << 20

# Which attempts from the inside prove which wall.
_PROOFS = {
    "user": ("be root",),
    "mount": ("write to /",),
    "pid": (),
    "net": ("a socket",),
    "ipc": ("shared memory",),
    "uts": (),
    "seccomp": ("fork", "start a program", "namespaces", "trace a process"),
}


def sandbox_lines(settings: Settings) -> Iterator[Line]:
    """The level first, then wall by wall, then the canaries."""
    try:
        zygote = Zygote("probe", [_PROBE], allow_open=True)
    except (BacktestError, OSError) as error:
        yield _line("level", "bad", f"none: {error}", "Run qc-lora doctor again; report this.")
        return
    try:
        facts = ask(zygote)
    except (BacktestError, OSError, ValueError) as error:
        yield _line("level", "bad", f"none: a strategy cannot be started: {error}",
                    refusals.cure(refusals.read_machine()))  # fmt: skip
        return
    finally:
        zygote.close()
    yield _level(zygote, settings)
    yield from _walls(zygote, facts, settings)
    yield from _besides(zygote, facts)
    yield _canaries(settings)


def ask(zygote: Zygote) -> dict[str, Any]:
    """What the probe says from the inside."""
    child = zygote.fork(_LIMITS)
    try:
        child.channel.settimeout(_LIMITS.wall_s)
        data = b""
        while len(data) < _MOST:
            more = child.channel.recv(1 << 16)
            if not more:
                break
            data += more
        frames = _frames(data)
        if len(frames) != 2:
            raise ValueError("the probe did not answer")
        found: dict[str, Any] = json.loads(frames[1])
        return found
    finally:
        child.end()
        child.close_output()


def _frames(data: bytes) -> list[bytes]:
    found = []
    while len(data) >= 4:
        end = 4 + _LENGTH.unpack_from(data)[0]
        found.append(data[4:end])
        data = data[end:]
    return found


def _line(name: str, state: State, said: str, cure: str = "") -> Line:
    return Line(area="sandbox", name=name, state=state, said=said, cure=cure)


def _level(zygote: Zygote, settings: Settings) -> Line:
    if not zygote.missing_walls:
        return _line("level", "ok", f"full: every wall stands, made by {_made_by(zygote)}")
    missing = ", ".join(zygote.missing_walls)
    why = "; ".join(zygote.why)
    cure = refusals.cure(refusals.read_machine())
    if settings.allow_open_sandbox:
        said = f"open: no {missing} ({why}); strategies run all the same, as the settings allow"
        return _line("level", "note", said, cure)
    return _line("level", "bad", f"none: no {missing} ({why}); no strategy is run", cure)


def _made_by(zygote: Zygote) -> str:
    if zygote.by == "bubblewrap":
        return f"bubblewrap ({bubblewrap.find()})"
    refused = f"; bubblewrap is there, but failed: {'; '.join(zygote.why)}" if zygote.why else ""
    return f"ourselves, with unshare{refused}"


def _walls(zygote: Zygote, facts: dict[str, Any], settings: Settings) -> Iterator[Line]:
    cure = refusals.cure(refusals.read_machine())
    absent: State = "note" if settings.allow_open_sandbox else "bad"
    for wall, tried in _PROOFS.items():
        answers = {what: facts["attempts"][what] for what in tried}
        if wall in zygote.missing_walls:
            yield _line(wall, absent, f"missing: {zygote.why[0]}", cure)
        elif "" in answers.values() or (wall == "mount" and facts["readable"]):
            let_in = [what for what, answer in answers.items() if not answer] + facts["readable"]
            yield _line(wall, "bad", f"has a hole: {', '.join(let_in)}", "Report this, please.")
        else:
            proof = ", ".join(f"{what}: {answer}" for what, answer in answers.items())
            yield _line(wall, "ok", _seen(wall, facts) + (f" ({proof})" if proof else ""))


def _seen(wall: str, facts: dict[str, Any]) -> str:
    return {
        "user": f"is user {facts['user']}, who owns nothing",
        "mount": f"sees only /{' /'.join(facts['root'])}, read-only but for /tmp",
        "pid": f"is process {facts['process']} of its own; all it starts ends with it",
        "net": "has a network of its own with nothing in it",
        "ipc": "shares no memory and no queues with others",
        "uts": f"takes this machine for {facts['host']!r}",
        "seccomp": f"has a filter of system calls (mode {facts['seccomp']})",
    }[wall]


def _besides(zygote: Zygote, facts: dict[str, Any]) -> Iterator[Line]:
    """What is not refused anywhere, and so does not count as a wall."""
    kept = facts["no_new_privileges"] == 1
    yield _line("privileges", "ok" if kept else "bad",
                f"no capability, no_new_privs {'set' if kept else 'NOT set'}",
                "" if kept else "Report this, please.")  # fmt: skip
    yield _line("limits", "ok", (
        f"CPU seconds, memory, {facts['descriptors']} descriptors, {facts['threads']} threads, "
        f"files of {facts['file_mb']} MB; the wall clock ends the whole tree"
    ))  # fmt: skip
    empty = facts["variables"] == 0
    yield _line("environment", "ok" if empty else "bad", f"{facts['variables']} variables",
                "" if empty else "Report this, please.")  # fmt: skip
    yield _tmp(zygote, facts)
    if "cgroup" in zygote.extra:
        yield _line("cgroup", "ok", "has a namespace of control groups of its own")
    else:
        yield _line("cgroup", "note", "no namespace of control groups; nothing shows them anyway")


def _tmp(zygote: Zygote, facts: dict[str, Any]) -> Line:
    if "mount" in zygote.missing_walls:
        return _line("tmp", "note", f"writes into {facts['folder']}, which is removed after it")
    if "unbounded files" in zygote.extra:
        said = f"{facts['tmp_mb']} MB in memory, but any number of empty files"
        return _line("tmp", "note", said, "Take bubblewrap away, and unshare bounds that as well.")
    return _line("tmp", "ok", f"{facts['tmp_mb']} MB and {facts['tmp_files']} files, in memory")


def _canaries(settings: Settings) -> Line:
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.backtest.simulator.canaries import write_bars

    try:
        with tempfile.TemporaryDirectory(prefix="qc-lora-doctor-") as name:
            write_bars(Path(name))
            engine = Simulator(Path(name), allow_open_sandbox=settings.allow_open_sandbox)
            wrong = engine.let_canaries_sing("")
            engine.close()
    except (OSError, QcLoraError) as error:
        wrong = f"they could not be run: {error}"
    if wrong:
        # What has no wall has been said above, with the cure.
        return _line("canaries", "bad", wrong.partition(". No strategy was run")[0])
    return _line("canaries", "ok", "three strategies of known results were judged rightly")
