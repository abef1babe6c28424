"""Files as they come: encodings, marks, null bytes, other languages, sizes and depths."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from qc_builder_lora.backtest.check.checking import check_text
from qc_builder_lora.backtest.check.handed_in import read, read_bytes
from qc_builder_lora.backtest.check.parsing import MOST_CHARACTERS, lean_choice, tree_of
from qc_builder_lora.backtest.check.repair import repair
from qc_builder_lora.errors import InputError
from qc_builder_lora.records import Outcome

CODE = (
    "from AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n    def initialize(self):\n"
    "        self.set_start_date(2020, 1, 1)\n        self.add_equity('SPY', Resolution.DAILY)\n\n"
    "    def on_data(self, data):\n        self.set_holdings('SPY', 1)  # \u00e9\n"
)
CSHARP = (
    "using QuantConnect;\nnamespace QuantConnect.Algorithm.CSharp\n{\n"
    "    public class A : QCAlgorithm\n    {\n        public override void Initialize() { }\n    }\n}\n"
)
NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": CODE}], "nbformat": 4})


def said(content: bytes, name: str = "main.py") -> str:
    result = check_text(read_bytes(name, content))
    assert result.verdict is Outcome.FAIL
    assert not result.parses
    assert [one.rule for one in result.findings] == ["QC000"]
    (finding,) = result.findings
    return f"line {finding.line}: {finding.message}. {finding.cure}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "this is an empty file"),
        (b"\n \n", "this is an empty file"),
        (CODE.encode("utf-16"), "this is in UTF-16, which Python does not read. Save it as UTF-8"),
        (CODE.encode("utf-32"), "in UTF-32"),
        (CODE.encode("latin-1"), "not UTF-8: byte 0xe9 in line 10. Save it as UTF-8"),
        (b"# coding: klingon\n" + CODE.encode(), "its encoding is not known: unknown encoding"),
        (codecs.BOM_UTF8 + b"# coding: latin-1\nx = 1\n", "its encoding is not known"),
        (CODE.replace("2020", "20\0").encode(), "a null byte in line 6"),
        (b"PK\x03\x04" + b"\0" * 40, "this is a zip archive, not Python source"),
        (b"\x89PNG\r\n", "this is an image"),
        (b"\xa7\r\r\n" + b"\0" * 20, "this is compiled Python, not source"),
        (CSHARP.encode(), "this is C#. Only Python strategies are checked"),
        (NOTEBOOK.encode(), "this is a Jupyter notebook. Hand in the strategy alone"),
        (NOTEBOOK.replace("4}", "null}").encode(), "this is a Jupyter notebook"),
        (b'{"code": null}', "this is JSON, not Python source"),
        (b'[{"id": 1}]', "this is JSON"),
        (b"<!DOCTYPE html>\n<html></html>", "this is a web page"),
        (b"diff --git a/x b/x\n", "this is a patch"),
        (b"<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n", "unresolved merge conflicts"),
        (f"Here is it:\n```python\n{CODE}```\n".encode(), "an answer with Markdown around the code"),
        (b'print "hello"\n', "this is Python 2. LEAN runs Python 3.11"),
        (b"x = (1,\n", "line 1: does not parse: '(' was never closed. Finish it"),
        (b"if x == 1\n    y = 2\n", "line 1: does not parse: expected ':'. End the line with a colon"),
        (b"a = b && c\n", "Write and, or"),
        (b"x = new Foo()\n", "Python makes objects without new"),
        ("x = \u201cSPY\u201d\n".encode(), "Write straight quotes"),
        (b"def f():\nreturn 1\n", "expected an indented block"),
        (b"x = 0.5m\n", "Python's numbers have no suffix"),
        (("-" * 200_000 + "1").encode(), "nested too deeply"),
        (b"#" * (MOST_CHARACTERS + 1), f"has {MOST_CHARACTERS + 1} characters"),
        (b"x = 1\n" * 2_000_000, "12000000 bytes, more than any strategy"),
    ],
)  # fmt: skip
def test_what_is_no_source_is_called_what_it_is(content: bytes, words: str) -> None:
    assert words in said(content)


@pytest.mark.parametrize(
    "content",
    [
        CODE.encode(),
        codecs.BOM_UTF8 + CODE.encode(),
        b"# -*- coding: latin-1 -*-\n" + CODE.encode("latin-1"),
        CODE.replace("\n", "\r\n").encode(),
        CODE.replace("\n", "\r").encode(),
    ],
    ids=["utf-8", "mark", "latin-1", "crlf", "cr"],
)
def test_source_is_read_in_its_encoding_with_its_line_ends(content: bytes) -> None:
    result = check_text(read_bytes("main.py", content))
    assert (result.parses, result.strategy) == (True, "A")
    assert [one.rule for one in result.findings] == ["QC025", "QC045"]
    assert result.findings[1].line == (11 if b"coding" in content else 10)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("mark", "encoding", "cookie"),
    [(b"", "utf-8", ""), (codecs.BOM_UTF8, "utf-8", ""), (b"", "latin-1", "# coding: latin-1\n")],
)
def test_a_repaired_file_keeps_its_bytes_but_for_the_repair(
    tmp_path: Path, newline: str, mark: bytes, encoding: str, cookie: str
) -> None:
    code = (cookie + CODE.replace("DAILY", "Daily")).replace("\n", newline)
    path = tmp_path / "main.py"
    path.write_bytes(mark + code.encode(encoding))
    file = read(path)
    file.write(path, repair(file.text, []).text)
    assert path.read_bytes() == mark + code.encode(encoding)
    from qc_builder_lora.backtest.check.lint import chosen

    file.write(path, repair(file.text, chosen(["QC007"])).text)
    assert path.read_bytes() == mark + code.replace("Daily", "DAILY").encode(encoding)


def test_a_file_that_cannot_be_read_is_our_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.py: cannot be read: No such file"):
        read(tmp_path / "gone.py")


def choice(text: str) -> str | None:
    tree = tree_of(text)
    assert not isinstance(tree, str)
    found = lean_choice(tree)
    return found.name if found else None


def test_lean_runs_the_last_class_by_name() -> None:
    assert choice("class B(QCAlgorithm): pass\nclass A(QCAlgorithm): pass\n") == "B"
    assert choice("class Template(QCAlgorithm): pass\nclass Mine(Template): pass\n") == "Template"
    assert choice("if True:\n    class C(ai.QCAlgorithm): pass\nelse:\n    x = 1\n") == "C"
    assert choice("from x import QCAlgorithm as Q\nclass D(Q): pass\n") == "D"
    assert choice("def f():\n    class E(QCAlgorithm): pass\n") is None
    assert choice("class F: pass\n") is None
