"""The spool: what `append` confirmed is there, whatever happens to the writer or the disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

from qc_builder_lora.harvest.spool import (
    Damage,
    Event,
    SpoolWriter,
    is_finished,
    read,
    spools,
)


def written(folder: Path, bodies: list[dict]) -> tuple[SpoolWriter, Path]:
    writer = SpoolWriter(folder)
    for body in bodies:
        assert writer.append("fitness", body)
    assert writer.path is not None
    return writer, writer.path


def events(path: Path, offset: int = 0) -> list[Event]:
    return [item for item in read(path, offset) if isinstance(item, Event)]


def test_every_text_comes_back_as_it_was(tmp_path: Path) -> None:
    texts = ["", "ünïcode 𝛼", "line\nline\r\n\x00\x1a", "\ud800 alone", "x" * 3_000_000]
    _, path = written(tmp_path, [{"text": text} for text in texts])
    assert [event.body["text"] for event in events(path)[1:]] == texts
    assert [event.sequence for event in events(path)] == list(range(len(texts) + 1))


def upload(text: str, **more: object) -> dict:
    model = {"projectId": 7, "name": "main.py", "content": text}
    return {"tool": "update_file", "params": {"arguments": {"model": model, **more}}}


LONG_TEXTS = [
    "x" * 600,
    "def f():\n\tpass  # \u00fc \U0001d6fc\r\n" * 60,
    "\ud800 alone \udc00 " * 60,
    "our own marks \x1e and \x1f, \x00 and \x1a too" * 30,
    "ends with a line break" * 30 + "\n",
    "\n" * 600,
]


@pytest.mark.parametrize("text", LONG_TEXTS)
def test_a_long_text_comes_back_as_it_was_wherever_it_stands(tmp_path: Path, text: str) -> None:
    bodies = [
        upload(text),
        upload(text, content=text, note=text),
        {"params": {"arguments": {"content": text}}, "text": text},
        {"text": text, "other": text},
        {"params": {"content": text}, "answer": [text]},
        {"params": {"arguments": {"model": text}}},
        {"params": [text], "text": [text]},
    ]
    _, path = written(tmp_path, bodies)
    assert [event.body for event in events(path)[1:]] == bodies


def test_the_hosts_own_objects_stay_as_they_were(tmp_path: Path) -> None:
    body = upload("x" * 5000)
    before = json.dumps(body)
    written(tmp_path, [body])
    assert json.dumps(body) == before


def test_a_long_text_is_not_escaped_in_the_call(tmp_path: Path) -> None:
    # What makes the hook on an upload cheap: a line break is one byte, and so is a quote.
    _, path = written(tmp_path, [upload('"\n' * 4000)])
    event = events(path)[-1]
    assert event.end - event.start < 8000 + 400


def test_a_torn_or_damaged_long_text_is_damage_and_costs_no_other(tmp_path: Path) -> None:
    _, path = written(tmp_path, [upload("a\nb" * 300), {"n": 1}])
    first = events(path)[1]
    whole = path.read_bytes()
    for offset in range(first.start, first.end - 1, 13):
        raw = bytearray(whole)
        raw[offset] ^= 0x04
        path.write_bytes(raw)
        assert [event.sequence for event in events(path)] == [0, 2]
    for length in range(first.start, first.end, 13):
        path.write_bytes(whole[:length])
        assert [event.sequence for event in events(path)] == [0]


@pytest.mark.parametrize(
    ("places", "texts"),
    [
        ([["text"]], []), ([], [b"x"]), ([["a", "b"]], [b"x"]), ([[]], [b"x"]), (3, [b"x"]),
        ([["text"]], [b"\xff\xfe"]), ([["text", "more"]], [b"x"]),
    ],
)  # fmt: skip
def test_a_line_whose_texts_do_not_fit_its_json_is_damage(
    tmp_path: Path, places: object, texts: list[bytes]
) -> None:
    record = {"s": 0, "t": 1, "h": 2, "k": "mcp", "b": {"text": None}, "r": places}
    raw = b"\x1f".join([json.dumps(record).encode(), *texts])
    path = tmp_path / "x.spool"
    path.write_bytes(b"%08x %b\n" % (zlib.crc32(raw), raw))
    (found,) = read(path)
    assert isinstance(found, Damage)
    assert found.fact.startswith("not a record of ours")


def test_a_spool_of_the_version_before_is_read(tmp_path: Path) -> None:
    record = {"s": 0, "t": 1, "h": 2, "k": "mcp", "b": upload("x\n" * 900)}
    raw = json.dumps(record).encode()
    path = tmp_path / "x.spool"
    path.write_bytes(b"%08x %b\n" % (zlib.crc32(raw), raw))
    assert [event.body for event in events(path)] == [upload("x\n" * 900)]


def test_nothing_is_made_before_there_is_something_to_write(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "spool")
    assert writer.path is None
    assert not (tmp_path / "spool").exists()
    assert spools(tmp_path / "spool") == []


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    _, path = written(tmp_path, [{}])
    assert path.stat().st_mode & 0o777 == 0o600


def test_reading_goes_on_from_any_record(tmp_path: Path) -> None:
    _, path = written(tmp_path, [{"n": number} for number in range(20)])
    whole = events(path)
    for event in whole:
        assert events(path, event.start) == whole[event.sequence :]
    assert events(path, whole[-1].end) == []


def test_a_torn_last_record_is_left_alone(tmp_path: Path) -> None:
    _, path = written(tmp_path, [{"n": number} for number in range(3)])
    whole = path.read_bytes()
    last = events(path)[-1]
    for length in range(last.start, last.end):
        path.write_bytes(whole[:length])
        assert list(read(path)) == events(path)
        assert len(events(path)) == 3


def test_damage_costs_the_record_it_hits_and_no_other(tmp_path: Path) -> None:
    _, path = written(tmp_path, [{"n": number} for number in range(5)])
    victim = events(path)[2]
    for offset in range(victim.start, victim.end - 1, 7):
        raw = bytearray(path.read_bytes())
        raw[offset] ^= 0x04
        damaged = tmp_path / "damaged.spool"
        damaged.write_bytes(raw)
        assert [event.sequence for event in events(damaged)] == [0, 1, 3, 4, 5]
        (hit,) = [item for item in read(damaged) if isinstance(item, Damage)]
        assert (hit.start, hit.end) == (victim.start, victim.end)
        assert hit.fact == "the checksum does not match"


def test_a_file_of_something_else_is_all_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.spool"
    path.write_bytes(b"\n\nnothing of ours\n" + os.urandom(5000) + b"\n")
    assert events(path) == []
    assert all(isinstance(item, Damage) for item in read(path))


def test_a_disk_that_fills_up_tears_one_record_and_the_next_ones_are_whole(tmp_path: Path) -> None:
    code = f"""
import resource
from qc_builder_lora.harvest.spool import SpoolWriter
writer = SpoolWriter({str(tmp_path)!r})
assert writer.append("fitness", {{"n": 1}})
size = writer.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
assert not writer.append("fitness", {{"n": 2}})
assert not writer.append("fitness", {{"n": 3}})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert writer.append("fitness", {{"n": 4}})
print(writer.recorded, writer.lost, writer.last_error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 2 OSError: ")
    (spool,) = spools(tmp_path)
    items = list(read(spool.path))
    assert [item.body.get("n") for item in items if isinstance(item, Event)] == [None, 1, 4]
    assert [item.sequence for item in items if isinstance(item, Event)] == [0, 1, 4]
    assert len([item for item in items if isinstance(item, Damage)]) == 1


def test_a_folder_that_cannot_be_made_is_counted_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    writer = SpoolWriter(tmp_path / "file" / "spool")
    assert not writer.append("fitness", {})
    assert (writer.recorded, writer.lost) == (0, 1)
    assert writer.last_error is not None
    assert "Not a directory" in writer.last_error
    (tmp_path / "file").unlink()
    assert writer.append("fitness", {"n": 1})
    assert writer.recorded == 1


def test_a_closed_descriptor_that_became_another_file_is_not_written_to(tmp_path: Path) -> None:
    writer, path = written(tmp_path / "spool", [{"n": 1}])
    links = Path("/proc/self/fd").iterdir()
    ours = next(int(link.name) for link in links if link.is_file() and link.readlink() == path)
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    os.dup2(other, ours)
    os.close(other)
    assert writer.append("fitness", {"n": 2})
    os.close(ours)
    assert writer.append("fitness", {"n": 3})
    assert (tmp_path / "other").read_bytes() == b""
    assert [event.body.get("n") for event in events(path)] == [None, 1, 2, 3]


def test_a_fork_writes_a_file_of_its_own(tmp_path: Path) -> None:
    writer, path = written(tmp_path, [{"who": "parent"}])
    pid = os.fork()
    if pid == 0:
        writer.append("fitness", {"who": "child"})
        os._exit(0)
    os.waitpid(pid, 0)
    assert writer.append("fitness", {"who": "parent again"})
    assert len(spools(tmp_path)) == 2
    (child,) = [spool for spool in spools(tmp_path) if spool.path != path]
    first, second = events(child.path)
    assert first.body["parent"] == path.stem
    assert second.body["who"] == "child"
    assert [event.body.get("who") for event in events(path)] == [None, "parent", "parent again"]


def test_threads_do_not_mix_their_records(tmp_path: Path) -> None:
    writer, path = written(tmp_path, [{}])
    all_there = threading.Barrier(6)

    def work(name: int) -> None:
        # The number of a thread that has ended is given again.
        all_there.wait()
        for number in range(300):
            assert writer.append("fitness", {"name": name, "pad": "x" * (number * 10)})

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = events(path)
    assert sorted(event.sequence for event in found) == list(range(2 + 6 * 300))
    assert len({event.thread for event in found[2:]}) == 6


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_wrote_it_is_known_to_have_ended(tmp_path: Path, number: int) -> None:
    code = f"""
import time
from qc_builder_lora.harvest.spool import SpoolWriter
writer = SpoolWriter({str(tmp_path)!r})
writer.append("fitness", {{"n": 1}})
print("ready", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    (spool,) = spools(tmp_path)
    assert not is_finished(spool)
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    assert is_finished(spool)
    assert [event.body.get("n") for event in events(spool.path)] == [None, 1]


def test_what_cannot_be_written_as_json_is_named_and_costs_no_record(tmp_path: Path) -> None:
    loop: dict = {}
    loop["self"] = loop
    _, path = written(tmp_path, [{"x": object(), "b": b"\xff", "p": Path("/a"), "s": {1}}, loop])
    first, second = events(path)[1:]
    assert first.body == {"x": "<object>", "b": "\ufffd", "p": "/a", "s": [1]}
    assert second.body == {"unreadable": "ValueError: Circular reference detected"}


@pytest.mark.parametrize("umask", [0o777, 0o277, 0o077, 0o000])
def test_whatever_the_hosts_umask_its_user_can_read_the_records(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        writer = SpoolWriter(tmp_path / "a" / "b" / "spool")
        assert writer.append("told", {"x": 1})
    finally:
        os.umask(before)
    path = writer.path
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, path.parents[1], path.parents[2]):
        assert folder.stat().st_mode & 0o702 == 0o700


def test_a_reader_does_not_chase_a_host_that_writes_as_fast(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    for number in range(5):
        writer.append("told", {"x": number})
    assert writer.path is not None
    seen = []
    for item in read(writer.path):
        seen.append(item)
        writer.append("told", {"x": "later"})
    assert len(seen) == 6
    assert len(list(read(writer.path, seen[-1].end))) == 6
