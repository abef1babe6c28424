import json
from pathlib import Path

import pytest

from qc_builder_lora.errors import InputError, NotFound
from qc_builder_lora.eval.suite import load_suite
from qc_builder_lora.ids import file_hash


def written(folder: Path, *lines: str) -> str:
    path = folder / "mine.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def line(**fields: object) -> str:
    return json.dumps({"id": "a", "instruction": "Buy IBM.", **fields})


def test_a_suite_keeps_its_order_and_the_hash_of_its_file(tmp_path: Path) -> None:
    name = written(tmp_path, line(id="b"), "", line(id="a", family="trend"))
    found = load_suite(name)
    assert (found.name, found.sha256) == ("mine", file_hash(Path(name)))
    assert [(one.id, one.family) for one in found.prompts] == [("b", "unknown"), ("a", "trend")]


def test_a_users_suite_hides_the_built_in_one_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "eval/suites").mkdir(parents=True)
    (tmp_path / "eval/suites/smoke.jsonl").write_text(line(id="mine"))
    monkeypatch.chdir(tmp_path)
    assert [one.id for one in load_suite("smoke").prompts] == ["mine"]


def test_the_built_in_suite_has_24_prompts_with_what_must_be_held_out() -> None:
    prompts = load_suite("smoke").prompts
    assert len(prompts) == 24
    assert all(one.parameters and one.family != "unknown" for one in prompts)


@pytest.mark.parametrize(
    "broken", ["{", '"text"', "[1]", '{"id": "a"}', '{"instruction": "Buy IBM."}', "null"]
)
def test_a_line_that_is_no_prompt_is_named_by_its_number(tmp_path: Path, broken: str) -> None:
    with pytest.raises(InputError, match=r"mine\.jsonl, line 2: not a prompt .* id and instruct"):
        load_suite(written(tmp_path, line(), broken))


def test_an_id_that_stands_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the id 'a' stands twice; ids must be unique"):
        load_suite(written(tmp_path, line(), line(instruction="Buy AAPL.")))


def test_a_suite_without_prompts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no prompts\. Write one JSON object a line"):
        load_suite(written(tmp_path, ""))


def test_an_unknown_suite_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"'smoek'\. Did you mean 'smoke'\? Known: .*smoke"):
        load_suite("smoek")
    with pytest.raises(NotFound, match=r"'/nowhere/x\.jsonl'. There is no such file"):
        load_suite("/nowhere/x.jsonl")


def test_a_suite_that_is_not_utf_8_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes('{"id": "a", "text": "café"}\n'.encode("latin-1"))
    with pytest.raises(InputError, match=r"mine\.jsonl: not UTF-8 text: .* Save it as UTF-8\."):
        load_suite(str(path))
