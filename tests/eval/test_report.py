import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from qc_builder_lora.eval import plots
from qc_builder_lora.eval.costs import HostedPrice
from qc_builder_lora.eval.report import Material, write_report
from qc_builder_lora.ids import file_hash
from tests.eval.stand_ins import CODE, answer, contest, judged, material, model, scores, unknown

EVIL = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\"'&{{ 7*7 }}"


class Page(HTMLParser):
    """Tags with their attributes, and the visible text in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._quiet = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._quiet += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(given: Material, folder: Path) -> tuple[str, Page]:
    path = folder / "report.html"
    assert write_report(given, path) == file_hash(path)
    text = path.read_text("utf-8")
    return text, Page(text)


def usual() -> Material:
    curve = tuple((f"2010-01-{day:02d}", 100000.0 + day) for day in range(4, 29))
    good = judged("a", equity=curve, statistics={"Net Profit": "3%", "Total Orders": "1"})
    return material(scores(judged("a", None), judged("b")), scores(good, judged("b", "runs")))


def test_the_page_loads_nothing_from_anywhere(tmp_path: Path) -> None:
    text, found = page(usual(), tmp_path)
    assert not {tag for tag, _ in found.tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "base",
    }
    loading = ("src", "href", "xlink:href", "action", "background", "data", "srcset")
    values = [
        str(value) for _, attrs in found.tags for key, value in attrs.items() if key in loading
    ]
    assert all(value.startswith("#") for value in values)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    assert "@import" not in text


def test_nothing_that_a_model_or_a_suite_wrote_becomes_markup(tmp_path: Path) -> None:
    evil = judged("a", "parses", code=f"# {EVIL}\n" + CODE, reason=EVIL, family=EVIL)
    given = material(scores(evil), scores(evil))
    given.contest.pairs[0].__dict__["instruction"] = EVIL
    text, found = page(given, tmp_path)
    assert not {tag for tag, _ in found.tags} & {"script", "img"}
    assert not [key for _, attrs in found.tags for key in attrs if key.startswith("on")]
    assert "alert(1)" in found.text
    assert "{{ 7*7 }}" in found.text
    assert "<script" not in text


def test_the_verdict_is_the_first_thing_read(tmp_path: Path) -> None:
    _, found = page(usual(), tmp_path)
    order = ["Undecided:", "How often", "Family by family", "Side by side", "Provenance"]
    places = [found.text.index(one) for one in order]
    assert places == sorted(places)
    assert "a person decides" in found.text[: places[1]]


def test_provenance_has_the_hash_of_everything(tmp_path: Path) -> None:
    _, found = page(usual(), tmp_path)
    provenance = found.text[found.text.index("Provenance") :]
    for letter in "abcdef5":
        assert letter * 64 in provenance
    head = {a.get("name"): a.get("content") for tag, a in found.tags if tag == "meta"}
    assert head["qc-lora-model-sha256"] == model().sha256


def test_what_is_unknown_is_called_unknown_and_never_zero(tmp_path: Path) -> None:
    given = material(scores(unknown("a"), unknown("b")), scores(judged("a"), judged("b", "runs")))
    _, found = page(given, tmp_path)
    assert "trades unknown (2) unknown 1/2 " in found.text
    assert "0/0" not in found.text
    assert "Cannot be told: 2 prompts" in found.text
    assert "parses (compiles, runs, trades, faithful unknown)" in found.text
    assert "No difference in trading" not in found.text


def test_a_rate_leaves_its_unknown_answers_out_and_counts_them_beside(tmp_path: Path) -> None:
    ones = [judged("a"), judged("b", None), unknown("c")]
    _, found = page(material(scores(*ones), scores(*ones)), tmp_path)
    assert "trades 1/2 (+1 unknown)" in found.text


def test_a_family_that_could_not_be_judged_has_a_word_in_place_of_a_bar(tmp_path: Path) -> None:
    nothing = {"parses": None, "compiles": None, "runs": None, "trades": None}
    text, _ = page(material(scores(judged("a", **nothing)), scores(judged("a"))), tmp_path)
    families = text[text.index("Family by family") : text.index("Side by side")]
    assert families.count(">unknown</text>") == 1


def test_costs_that_nobody_knows_are_unknown(tmp_path: Path) -> None:
    price = HostedPrice(name="big-model", input_usd=3, output_usd=15)  # type: ignore[arg-type]
    _, known = page(material(scores(judged("a")), scores(judged("a")), prices=[price]), tmp_path)
    # 20 tokens in at 3 and 100 out at 15 US dollars a million.
    assert "big-model, same tokens 0.0016 unknown unknown unknown" in known.text
    uncounted = judged("a", answer=answer("a", completion_tokens=None))
    _, found = page(material(scores(uncounted), scores(uncounted), prices=[price]), tmp_path)
    assert "big-model" not in found.text
    assert re.search(r"base:tiny, local 0 0 2\.0 unknown", found.text)


def test_refused_quantisations_are_shown_with_their_reason(tmp_path: Path) -> None:
    _, found = page(usual(), tmp_path)
    assert "refused: 91 % of the way back to the base" in found.text


def test_the_same_material_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    assert page(usual(), tmp_path)[0] == page(usual(), tmp_path / "two")[0]


def test_a_family_named_like_a_formula_is_drawn_as_it_stands(tmp_path: Path) -> None:
    one = judged("a", family="$x_1$ under $5")
    text, _ = page(material(scores(one), scores(one)), tmp_path)
    assert "$x_1$ under $5" in text[text.index("Family by family") : text.index("Side by side")]


@pytest.mark.parametrize("better", [True, False])
def test_the_box_is_coloured_by_the_verdict(tmp_path: Path, better: bool) -> None:
    good = scores(*(judged(f"{n}") for n in range(24)))
    bad = scores(*(judged(f"{n}", None) for n in range(24)))
    given = material(bad, good) if better else material(good, bad)
    text, found = page(given, tmp_path)
    word = "better" if better else "worse"
    assert f'class="verdict {word}"' in text
    assert f"{model().id} is {word} than" in found.text


def test_the_difference_is_shown_with_its_interval_and_without_pairs_as_a_word() -> None:
    seen = plots.effect([(1, 1.0, -0.5, 1.0), (2, 0.5, -0.6, 0.9)], 0.1)
    assert "<svg" in seen
    assert "no pair could be judged" not in seen
    assert "no pair could be judged" in plots.effect([], 0.1)


def test_raters_people_and_models_stand_in_the_page_and_their_names_are_no_markup(
    tmp_path: Path,
) -> None:
    tally = {"rated": 2, "champion": 1, "tie": 0, "challenger": 1, "first_preferred": 0.5}
    ratings = {
        "pairs": 2,
        "raters": [
            {"rater": EVIL, **tally, "mean_score": 4.0},
            {"rater": "llm:gpt-6", **tally, "mean_score": None},
        ],
        "agreement": [{"raters": [EVIL, "llm:gpt-6"], "pairs": 2, "kappa": None}],
    }
    given = material(scores(judged("a")), scores(judged("a")), ratings=ratings)
    text, found = page(given, tmp_path)
    assert "<script" not in text
    assert "What blind raters said" in found.text
    assert "llm:gpt-6 2 of 2 1 0 1 50 % unknown" in found.text
    assert "Cohen's kappa unknown over 2 pairs" in found.text


def test_without_ratings_the_page_does_not_speak_of_raters(tmp_path: Path) -> None:
    nobody = {"pairs": 2, "raters": [], "agreement": []}
    _, found = page(material(scores(judged("a")), scores(judged("a")), ratings=nobody), tmp_path)
    assert "raters" not in found.text


def test_an_answer_that_trades_but_does_something_else_says_what_is_missing(tmp_path: Path) -> None:
    missing = {"kind": "stop", "value": True, "outcome": "FAIL", "evidence": "no stop order"}
    other = judged("a", faithful=False, findings=(missing,))
    _, found = page(material(scores(judged("a", faithful=True)), scores(other)), tmp_path)
    assert "trades, not faithful: no stop order" in found.text


def test_the_page_says_how_many_prompts_are_of_kinds_that_were_not_taught(tmp_path: Path) -> None:
    def written(*groups: str) -> str:
        path = tmp_path / "kinds.html"
        ones = [judged(str(n), group=group) for n, group in enumerate(groups)]
        write_report(material(scores(*ones), scores(*ones, model="m")), path)
        return path.read_text("utf-8")

    assert "The prompts are of the kinds the model was trained on" in written("family taught")
    text = written("family taught", "family not taught", "family reserved")
    assert "2 of the 3 prompts are of families that the model was not trained on, 1 of them" in text


def test_one_is_not_counted_as_many(tmp_path: Path) -> None:
    given = material(scores(judged("a")), scores(judged("a", "runs")))
    contest_ = contest(given.champion, given.challenger, minimum_pairs=1)
    _, found = page(replace(given, contest=contest_), tmp_path)
    assert "Worse than before: 1 prompt " in found.text
    assert "0 prompts won, 1 lost by 'trades' of 1 judged pair," in found.text
    assert "1 prompt: a rate of 80 %" in found.text
    assert "1 prompts" not in found.text
    assert "1 pairs" not in found.text


def test_dates_under_a_curve_do_not_cover_each_other() -> None:
    start = date(2010, 1, 4)
    for days in (60, 500, 4700):
        curve = [(str(start + timedelta(days=at)), 100_000.0 + at) for at in range(days)]
        for drawn in (plots.equity(curve, curve), plots.blind(curve, curve)):
            dates = re.findall(r">((?:19|20)\d\d(?:-\w+)*|[A-Z][a-z]{2}|\d\d)</text>", drawn)
            assert 2 <= len(dates) <= 8, dates


def test_a_live_report_with_a_hosted_champion_says_so(tmp_path: Path) -> None:
    saving = {"days_observed": 1, "usd_an_answer": None, "usd_a_month": None}
    live = {"saving": saving, "ceiling": None, "served": 1, "pairs": 1, "dropped": {}}
    price = HostedPrice(name="gpt", input_usd=Decimal(1), output_usd=Decimal(2))
    given = material(scores(judged("a")), scores(judged("a")))
    _, found = page(replace(given, live=live, champion_sha256=None, prices=(price,)), tmp_path)
    assert "champion sha256 none: it is a hosted model" in found.text
    assert "no hosted model was asked" not in found.text.lower()
    assert "Family by family" not in found.text
    assert "USD for these requests" in found.text


def test_evidence_that_says_the_same_is_said_once(tmp_path: Path) -> None:
    failed = {"kind": "symbol", "outcome": "FAIL", "evidence": "the backtest failed: no GOOG"}
    one = judged("a", "parses", findings=(failed, {**failed, "kind": "date"}), faithful=False)
    _, found = page(material(scores(judged("a")), scores(one)), tmp_path)
    assert found.text.count("the backtest failed: no GOOG") == 1


def continued(**parent: object) -> Material:
    """Of a model whose training began from another adapter."""
    given = usual()
    about = {
        "model": "tiny-9", "adapter": "9" * 64, "path": "/x/adapter", "run": "r", "base": "b" * 64,
        "snapshot": "8" * 64, "snapshots": ["8" * 64],
        "held_out_taught": {"validation": 0, "golden": 0},
    }  # fmt: skip
    manifest = {
        **given.model.manifest,
        "parent": {**about, **parent},
        "seen": {"runs": 2, "steps": 1200, "tokens": 34000},
    }
    return replace(given, model=replace(given.model, manifest=manifest))


def test_a_model_that_began_from_another_names_it_and_the_total_that_was_seen(
    tmp_path: Path,
) -> None:
    text = page(continued(), tmp_path)[1].text
    assert f"model tiny-9 (adapter {'9' * 64})" in text
    assert "2 runs, 1,200 steps, 34,000 tokens" in text
    assert "0 of validation, 0 of golden" in text
    assert "UNKNOWN (/x/adapter)" not in text
    assert "started from the base" in " ".join(page(usual(), tmp_path)[1].text.split())


def test_an_adapter_of_unknown_teaching_is_told_where_the_page_says_what_it_does_not_say(
    tmp_path: Path,
) -> None:
    unknown = {"model": None, "run": None, "base": "UNKNOWN", "snapshot": None, "snapshots": None}
    text = page(continued(**unknown, held_out_taught=None), tmp_path)[1].text
    limits = text.split("What this page does not say")[1]
    assert "was taught is UNKNOWN (/x/adapter)" in limits
    assert "may look better than they are" in limits
    assert "Whether the prompts are of kinds that the model was taught is UNKNOWN" in limits
    assert "UNKNOWN: only the names and shapes" in text
    taught = page(continued(held_out_taught={"validation": 3, "golden": 1}), tmp_path)[1].text
    assert "4 held-out examples of the snapshot were taught" in taught


def test_a_model_released_before_the_rule_had_nats_shows_unknown(tmp_path: Path) -> None:
    text = page(usual(), tmp_path)[1].text
    assert "Above it a file may lie by UNKNOWN: the model was released by an earlier rule." in text
