"""Reading formulas out of PDFs that we write ourselves, and out of the paper where it is."""

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from pypdf import PdfWriter

from qc_builder_lora.errors import CorruptFile, InputError, NotFound
from qc_builder_lora.harvest.corpus.alphas.grammar import parse
from qc_builder_lora.harvest.corpus.alphas.paper import (
    PaperAlpha,
    _first_formula,
    _sections,
    download,
    look_through,
    pages_of,
    read_paper,
)


def pdf(path: Path, pages: Sequence[Sequence[str]]) -> Path:
    """A PDF with these lines of text on these pages, in Helvetica."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    kids = []
    for lines in pages:
        shown = "".join(
            f"({line.translate(str.maketrans({'(': chr(92) + '(', ')': chr(92) + ')'}))}) Tj T* "
            for line in lines
        )
        stream = f"BT /F1 10 Tf 12 TL 40 780 Td {shown}ET".encode("latin-1")
        parts.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
        parts.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F1 3 0 R>>>>"
            b"/Contents %d 0 R>>" % len(parts)
        )
        kids.append(b"%d 0 R" % len(parts))
    parts[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), len(kids))
    out, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, part)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(parts) + 1, start)
    path.write_bytes(out)
    return path


def formulas(count: int = 101) -> list[str]:
    return [f"Alpha#{n}: rank(delta(close, {n}))" for n in range(1, count + 1)]


def test_all_101_of_the_paper_are_read_in_order(paper: list[PaperAlpha]) -> None:
    assert [alpha.number for alpha in paper] == list(range(1, 102))
    assert len({alpha.tree for alpha in paper}) == 101
    assert all(parse(str(alpha.tree)) == alpha.tree for alpha in paper)


def test_formulas_are_read_from_a_pdf_across_lines_and_pages(tmp_path: Path) -> None:
    lines = formulas()
    lines[6:7] = ["Alpha#7 : ((close < open) ?", "-1 * rank(volume) :", "1)"]
    pages = [["Prose about alphas.", *lines[:8], "8"], ["", *lines[8:], "A.2. Functions follow."]]
    read = read_paper(pdf(tmp_path / "paper.pdf", pages))
    assert str(read[6].tree) == "close < open ? -1 * rank(volume) : 1"
    assert str(read[100].tree) == "rank(delta(close, 101))"


def test_another_paper_is_refused_with_what_was_not_found(tmp_path: Path) -> None:
    path = pdf(tmp_path / "other.pdf", [["Attention is all you need.", "Abstract."]])
    with pytest.raises(InputError) as caught:
        read_paper(path)
    said = str(caught.value)
    assert f"{path}: 0 of the 101 formulas of arXiv:1601.00991 were read." in said
    assert "Not found: 1 to 101." in said
    assert "Nothing was stored." in said


def test_a_paper_with_holes_names_each_hole(tmp_path: Path) -> None:
    lines = formulas()
    lines[40] = "Alpha#41: rank(delta(close, 41)"
    del lines[4:7], lines[0]
    with pytest.raises(InputError) as caught:
        read_paper(pdf(tmp_path / "part.pdf", [lines]))
    said = str(caught.value)
    assert "96 of the 101" in said
    assert "Not found: 1, 5 to 7." in said
    assert "Alpha#41 cannot be read: column" in said
    assert "')' is missing" in said


@pytest.mark.parametrize(
    ("lines", "formula"),
    [
        (["decay_", "linear(close, 5)"], "decay_linear(close, 5)"),
        (["correla-", "tion(close, open, 5)"], "correlation(close, open, 5)"),
        (["indneutralize(close, IndClass.", "sector)"], "indneutralize(close, IndClass.sector)"),
        (["close -", "open"], "close - open"),
        (["close-", "open"], "close - open"),
        (["(close - ", "open) / high", "low is the lowest price."], "(close - open) / high"),
        (["rank(close)", "", "- 0.5", "14"], "rank(close) - 0.5"),
        (["rank(close)", "* 2"], "rank(close) * 2"),
        (["rank(\u2212close)", "A.1. Functions and Operators"], "rank(-close)"),
        (["\ufb01rst"], None),
        ([""], None),
    ],
)
def test_what_a_pdf_breaks_is_mended(lines: list[str], formula: str | None) -> None:
    sections = _sections(["Alpha#3: " + "\n".join(lines), "Alpha#4: rank(close)"])
    if formula is None:
        with pytest.raises(InputError, match="column"):
            _first_formula(sections[3])
    else:
        assert _first_formula(sections[3]) == parse(formula)


def test_the_first_formula_of_a_number_counts_whatever_prose_speaks_of_it() -> None:
    page = "Alpha#1. holds for a day\nAlpha#1: rank(close)\nAlpha#2: rank(open)\nAlpha#1: see above"
    assert str(_first_formula(_sections([page])[1])) == "rank(close)"


@pytest.mark.parametrize(
    ("heading", "shown", "formula"),
    [
        ("Alpha #3. ", "\u22121 \u00b7 rank(close)", "-1 * rank(close)"),
        ("ALPHA#3 ", "close \u2264 open \u2016 high \u2265 low", "close <= open || high >= low"),
        ("Alpha\u00a0#\u200b3\uff1a ", "rank(\u200bclose) \u00d7 2", "rank(close) * 2"),
        ("Alpha#3 = ", "decay_li\nnear(close, 5)", "decay_linear(close, 5)"),
    ],
)
def test_other_typesetters_signs_are_read(heading: str, shown: str, formula: str) -> None:
    assert _first_formula(_sections([heading + shown])[3]) == parse(formula)


def test_titles_at_the_top_and_foot_of_pages_are_not_the_formulas(tmp_path: Path) -> None:
    lines = formulas()
    lines[29:30] = ["Alpha#30: rank(delta(close,", "30))"]
    pages = [
        [str(number), "101 Formulaic Alphas", "Z. K.", *lines[first : first + 30], "draft"]
        for number, first in enumerate(range(0, 120, 30), 1)
    ]
    read = read_paper(pdf(tmp_path / "paper.pdf", pages))
    assert [str(one.tree) for one in read] == [f"rank(delta(close, {n}))" for n in range(1, 102)]


def test_a_part_of_the_paper_says_what_it_has_and_what_not(tmp_path: Path) -> None:
    reading = look_through(pdf(tmp_path / "part.pdf", [[*formulas(43), "Alpha#45: rank("]]))
    assert [one.number for one in reading.found] == list(range(1, 44))
    assert not reading.is_whole
    assert reading.lacking.startswith("Not found: 44, 46 to 101. Alpha#45 cannot be read: column")
    assert "or take what was read with --partial." in str(reading.refused())


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"<html>no</html>", "a web page and not a PDF"),
        (b"\n <!DOCTYPE html><p>403: see %PDF-1.4</p>", "a web page and not a PDF"),
        (b"%PDF-1.4\ngarbage", "a PDF that cannot be read"),
        (b"Alpha#1: rank(close)", "not a PDF"),
        (b"", "an empty file"),
    ],
)
def test_a_file_that_is_no_readable_pdf_is_refused(
    tmp_path: Path, content: bytes, fact: str
) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=f"{fact}.*arXiv:1601.00991"):
        pages_of(path)


@pytest.mark.parametrize(("password", "opens"), [("secret", False), ("", True)])
def test_a_pdf_with_a_password_says_so_and_one_that_opens_is_read(
    tmp_path: Path, password: str, opens: bool
) -> None:
    writer = PdfWriter(clone_from=pdf(tmp_path / "plain.pdf", [formulas()]))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    if opens:
        assert len(read_paper(tmp_path / "locked.pdf")) == 101
    else:
        with pytest.raises(CorruptFile, match=r"opens with a password only\. Save a copy without"):
            read_paper(tmp_path / "locked.pdf")


def test_scanned_pages_without_text_are_named_as_that(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="a PDF without text"):
        read_paper(pdf(tmp_path / "scan.pdf", [[], []]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere.pdf.*1601.00991"):
        read_paper(tmp_path / "nowhere.pdf")
    with pytest.raises(InputError, match=r"is a folder\. Give the PDF"):
        read_paper(tmp_path)
    with pytest.raises(InputError, match=r"is an address\. --paper takes a file\."):
        read_paper(Path("https://arxiv.org/pdf/1601.00991"))


class _Archive(BaseHTTPRequestHandler):
    asked = 0
    content: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.path not in self.content:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.content[self.path])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def archive() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Archive)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_paper_is_fetched_once(archive: str, tmp_path: Path) -> None:
    _Archive.content["/paper"] = pdf(tmp_path / "whole.pdf", [formulas()]).read_bytes()
    before = _Archive.asked
    for _ in range(2):
        path = download(tmp_path / "paper.pdf", f"{archive}/paper")
    assert len(read_paper(path)) == 101
    assert _Archive.asked == before + 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>Please log in.</html>", "a web page and not a PDF"),
        (b"%PDF-1.4 half of it", "a PDF that cannot be read"),
        (None, r"40 of the 101 formulas.*Not found: 41 to 101"),
    ],
)
def test_what_a_server_answers_in_its_place_is_not_kept(
    archive: str, tmp_path: Path, content: bytes | None, said: str
) -> None:
    target, whole = tmp_path / "paper.pdf", pdf(tmp_path / "whole.pdf", [formulas()]).read_bytes()
    part = pdf(tmp_path / "part.pdf", [formulas(40)]).read_bytes()
    _Archive.content["/paper"] = part if content is None else content
    with pytest.raises(InputError, match=f"does not answer with the paper: .*{said}.*--paper FILE"):
        download(target, f"{archive}/paper")
    assert not target.exists()
    # An earlier version kept whatever came.
    target.write_bytes(part if content is None else content)
    _Archive.content["/paper"] = whole
    assert download(target, f"{archive}/paper").read_bytes() == whole


def test_without_a_network_the_cure_is_a_file(archive: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be fetched.*404.*--paper FILE"):
        download(tmp_path / "paper.pdf", f"{archive}/gone")
    with pytest.raises(InputError, match=r"cannot be fetched.*--paper FILE"):
        download(tmp_path / "paper.pdf", "http://127.0.0.1:9/paper")
    assert not (tmp_path / "paper.pdf").exists()
