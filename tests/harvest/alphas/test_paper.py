"""Reading formulas out of PDFs that we write ourselves, and out of the paper where it is."""

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from qc_builder_lora.errors import CorruptFile, InputError, NotFound
from qc_builder_lora.harvest.corpus.alphas.grammar import parse
from qc_builder_lora.harvest.corpus.alphas.paper import (
    PaperAlpha,
    _formula,
    _sections,
    download,
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
            _formula(sections[3])
    else:
        assert _formula(sections[3]) == parse(formula)


def test_the_first_mention_of_a_number_counts() -> None:
    sections = _sections(["Alpha#1: rank(close)\nAlpha#2: rank(open)\nAlpha#1: see above"])
    assert str(_formula(sections[1])) == "rank(close)"


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"<html>no</html>", "not a PDF"),
        (b"%PDF-1.4\ngarbage", "a PDF that cannot be read"),
        (b"", "not a PDF"),
    ],
)
def test_a_file_that_is_no_readable_pdf_is_refused(
    tmp_path: Path, content: bytes, fact: str
) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=f"{fact}.*arXiv:1601.00991"):
        pages_of(path)


def test_scanned_pages_without_text_are_named_as_that(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="a PDF without text"):
        read_paper(pdf(tmp_path / "scan.pdf", [[], []]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere.pdf.*1601.00991"):
        read_paper(tmp_path / "nowhere.pdf")
    with pytest.raises(InputError, match="cannot be read"):
        read_paper(tmp_path)


class _Archive(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.path != "/paper":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%PDF-content")

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
    before = _Archive.asked
    for _ in range(2):
        path = download(tmp_path / "paper.pdf", f"{archive}/paper")
    assert path.read_bytes() == b"%PDF-content"
    assert _Archive.asked == before + 1


def test_without_a_network_the_cure_is_a_file(archive: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be fetched.*404.*--paper FILE"):
        download(tmp_path / "paper.pdf", f"{archive}/gone")
    with pytest.raises(InputError, match=r"cannot be fetched.*--paper FILE"):
        download(tmp_path / "paper.pdf", "http://127.0.0.1:9/paper")
    assert not (tmp_path / "paper.pdf").exists()
