import pytest

from qc_builder_lora.errors import FormulaError
from qc_builder_lora.harvest.corpus.alphas.grammar import parse
from qc_builder_lora.harvest.corpus.alphas.language import FUNCTIONS
from qc_builder_lora.harvest.corpus.alphas.tree import Call, Kind, Number, children, kind, walk

from .conftest import FORMULAS


@pytest.mark.parametrize("text", FORMULAS)
def test_a_printed_formula_parses_to_the_same_tree(text: str) -> None:
    tree = parse(text)
    assert parse(str(tree)) == tree
    assert str(parse(str(tree))) == str(tree)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("close - (open - high)", "close - (open - high)"),
        ("((close - open)) - high", "close - open - high"),
        ("close / (open * high)", "close / (open * high)"),
        ("-close^2", "-close^2"),
        ("(-close)^2", "(-close)^2"),
        ("close^open^low", "close^open^low"),
        ("(close^open)^low", "(close^open)^low"),
        ("close < open ? 1 : high < low ? close : 3 * low",
         "close < open ? 1 : high < low ? close : 3 * low"),
        ("(close<open?1:2)*low", "(close < open ? 1 : 2) * low"),
        ("rank(close) - -1 * low", "rank(close) - -1 * low"),
        ("SignedPower(Ts_ArgMax(CLOSE,5),2.)", "signedpower(ts_argmax(close, 5), 2)"),
        ("scale(close, .5)", "0.5 * scale(close)"),
        ("low || high", None),
        ("close<open || open<low", "close < open || open < low"),
        ("IndNeutralize(close, IndClass . sector)", "indneutralize(close, IndClass.sector)"),
    ],
)  # fmt: skip
def test_operators_bind_as_in_arithmetic(text: str, printed: str | None) -> None:
    if printed is None:
        with pytest.raises(FormulaError):
            parse(text)
    else:
        assert str(parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "days"),
    [("delta(close, 17.93)", 17), ("sum(close, 1.0)", 1), ("ts_rank(close, 8.99999)", 8),
     ("min(close, 5)", 5), ("adv81 - adv80", None), ("correlation(close, open, 2 * 3)", 6)],
)  # fmt: skip
def test_days_are_whole_numbers_rounded_down(text: str, days: int | None) -> None:
    found = [one.days for one in walk(parse(text)) if isinstance(one, Call)]
    assert found == ([] if days is None else [days])


def test_min_with_a_number_looks_back_and_with_a_series_compares() -> None:
    assert str(parse("max(close, 3)")) == "ts_max(close, 3)"
    assert str(parse("max(close, open)")) == "max(close, open)"


def test_kinds_are_number_series_boolean_and_group() -> None:
    tree = parse("indneutralize(close < open, IndClass.sector) * (1 - 0.3)")
    kinds = [kind(one) for one in walk(tree)]
    assert kinds[0] is Kind.SERIES
    assert {Kind.BOOLEAN, Kind.GROUP, Kind.SCALAR} < set(kinds)
    assert kind(children(tree)[1]) is Kind.SCALAR


@pytest.mark.parametrize(
    ("text", "column", "fact", "cure"),
    [
        ("rank(ts_mean(close, 5))", 6, "unknown function 'ts_mean'", "Did you mean 'ts_min'"),
        ("rank(clsoe)", 6, "unknown input 'clsoe'", "Did you mean 'close'"),
        ("rank(5)", 6, "rank wants a series, `5` is a number", "differs by symbol"),
        ("close ? 1 : 2", 7, "'?' needs a comparison", "`x < 0 ? y : z`"),
        ("close < open ? 1", 17, "':' is missing for the '?' in column 14", "Add ':'"),
        ("sum(close, volume)", 12, "sum wants a number of days, `volume` is a series", "such as 5"),
        ("delta(close, 0.9)", 14, "0.9 days, which is 0 as a whole number", "Take 1 to 2520"),
        ("correlation(close, open, 1)", 26, "1 days", "Take 2 to 2520"),
        ("sum(close, 1e9)", 12, "1e+09 days", "Take 1 to 2520"),
        ("rank(close", 11, "')' is missing for the bracket of rank in column 1", "Add ')'"),
        ("(close - open", 14, "')' is missing for the bracket in column 1", "Add ')'"),
        ("rank(close))", 12, "')' follows the end", "closes that none opens"),
        ("close open", 7, "'open' follows the end", "operator before it"),
        ("close & open", 7, "'&' is no part of the language", "Leave it out"),
        ("rank(close, 2)", 1, "rank takes 1 arguments, 2 given", "Write rank(x)"),
        ("rank()", 1, "rank takes 1 arguments, 0 given", "Write rank(x)"),
        ("correlation(close, open)", 1, "takes 3 arguments, 2 given", "correlation(x, y, days)"),
        ("indneutralize(close, open)", 22, "`open` is no group", "IndClass.sector"),
        ("indneutralize(close, IndClass.sectr)", 22, "unknown level 'sectr'", "mean 'sector'"),
        ("close - IndClass.sector", 7, "is a group and has no value", "indneutralize"),
        ("close || open < 1", 7, "'||' joins comparisons, `close` is a series", "`x < 0`"),
        ("2 < 3 ? close : open", 3, "two numbers are compared", "never changes"),
        ("log", 1, "log is a function", "Call it: log(x)"),
        ("1 + 2", 1, "the formula is a number", "differs by symbol"),
        ("IndClass.sector", 1, "the formula is a group", "second argument"),
        ("", 1, "a value is missing, found 'the end'", "Put a number"),
        ("rank(close - )", 14, "a value is missing, found ')'", "Put a number"),
        ("scale(close, open)", 14, "scale wants a number as second argument", "scale(x, 2)"),
        ("adv0 * close", 1, "0 days", "Take 1 to 2520"),
        ("self.close", 1, "unknown name 'self.close'", "Only IndClass"),
    ],
)
def test_an_error_gives_column_fact_and_cure(text: str, column: int, fact: str, cure: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    said = str(caught.value)
    assert said.startswith(f"column {column}: ")
    assert fact in said
    assert cure in said
    last = said.splitlines()[-1]
    assert len(last) - 4 == min(column, 51)


def test_brackets_without_end_are_an_error_and_no_crash() -> None:
    with pytest.raises(FormulaError, match="more than 100 deep"):
        parse("(" * 5000 + "close" + ")" * 5000)
    with pytest.raises(FormulaError, match="more than 100 deep"):
        parse("-" * 5000 + "close")


def test_every_function_is_called_as_its_form_says() -> None:
    words = {"x": "close", "y": "open", "days": "5", "group": "IndClass.sector"}
    for function in FUNCTIONS.values():
        name, rest = function.form.split("(")
        given = [words[word] for word in rest.strip(")").split(", ")]
        assert isinstance(parse(f"{name}({', '.join(given)})"), Call)


def test_a_number_prints_as_short_as_it_reads_back() -> None:
    for value in (5.0, 0.1, 1e-7, 2.21, 123456789.0):
        assert float(str(Number(value))) == value
    assert str(Number(5.0)) == "5"
