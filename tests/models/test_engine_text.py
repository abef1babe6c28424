import pytest

from qc_builder_lora.models.text_tail import TextTail


def pushed(stop, *pieces):
    tail = TextTail(stop)
    sent = [tail.push(piece.encode() if isinstance(piece, str) else piece) for piece in pieces]
    return "".join(sent), tail.rest(), tail.stopped


def test_letter_split_over_two_tokens_comes_out_whole():
    first, second = "ö".encode()[:1], "ö".encode()[1:]
    assert pushed((), b"a" + first, second + b"b") == ("aöb", "", False)


def test_nothing_after_a_stop_text_is_sent():
    assert pushed(("<end>",), "abc<e", "nd>def") == ("abc", "", True)


def test_start_of_a_stop_text_is_held_until_it_is_clear():
    tail = TextTail(("<end>",))
    assert tail.push(b"a<en") == "a"
    assert tail.push(b"ough") == "<enough"


def test_held_text_is_given_at_the_end():
    assert pushed(("<end>",), "a<en") == ("a", "<en", False)


def test_earliest_of_several_stop_texts_wins():
    assert pushed(("two", "one"), "a one b two") == ("a ", "", True)


def test_broken_bytes_become_a_mark_and_not_an_error():
    assert pushed((), b"a\xff", b"b") == ("a\ufffdb", "", False)
    assert pushed((), b"a\xc3") == ("a", "\ufffd", False)


@pytest.mark.parametrize("size", range(1, 12))
def test_how_the_text_is_cut_into_tokens_does_not_matter(size):
    text = b"x <<en <end <end> y"
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert pushed(("<end>",), *pieces)[0] == "x <<en <end "
