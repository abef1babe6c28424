"""`self.object_store`: kept by name for one backtest, in the strategy's own memory."""

from __future__ import annotations

from .conftest import Run


def test_text_bytes_and_json_come_back_as_they_were(run: Run) -> None:
    result = run(
        """
        store = self.object_store
        assert store.save("Notes/One", "a\\nb") and store.save_bytes("two", b"\\x00\\xff")
        assert store.save_json("three", {"x": [1, 2]})
        assert store.Read("notes/one") == store.read_string("Notes\\\\One") == "a\\nb"
        assert store.read_bytes("two") == b"\\x00\\xff"
        assert store.read_json("three") == {"x": [1, 2]}
        assert sorted(store.keys) == ["notes/one", "three", "two"]
        assert [pair.key for pair in store] == ["notes/one", "two", "three"]
        assert store.delete("two") and not store.delete("two")
        assert not store.contains_key("two") and "three" in store
        assert store.read("two") is None and store.read_json("two") is None
        store.clear()
        assert not store.keys
        """
    )
    assert result.status.value == "completed", result.reason


def test_nothing_is_left_for_the_next_backtest(run: Run) -> None:
    keeps = run("assert not self.object_store.contains_key('x')\nself.object_store.save('x', 'y')")
    assert keeps.status.value == "completed", keeps.reason
    again = run("assert not self.object_store.contains_key('x')")
    assert again.status.value == "completed", again.reason


def test_a_file_is_unknown_since_a_strategy_has_no_disk(run: Run) -> None:
    result = run("self.object_store.save('m', 'x')\nself.object_store.get_file_path('m')")
    assert result.status.value == "unknown"
    assert result.reason == "not modelled: ObjectStore.get_file_path (m)"
