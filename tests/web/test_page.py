"""The page over real HTTP: what it shows, and the decisions it takes to the store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from qc_builder_lora.kinds import SHOWN
from qc_builder_lora.store import Store
from tests.web.conftest import BASE, SENTENCE


def alert(response: Any) -> str:
    """What the page says went wrong, unescaped."""
    import html

    (found,) = re.findall(r'role="alert"><p>(.*?)</p>', response.text, re.DOTALL)
    return html.unescape(found)


def test_the_list_has_the_newest_report_first_with_verdict_rates_and_stage(
    project: Any, page: Any
) -> None:
    older = project.report(project.model("m1"))
    newer = project.report(project.model("m2"))
    text = page.get("/").text
    assert text.index(newer.id) < text.index(older.id)
    row = text[text.index(newer.id) : text.index(older.id)]
    assert '<b class="better">better</b>' in row
    assert row.replace("\N{NO-BREAK SPACE}", " ").count("+14 \N{MINUS SIGN}1 of 24") == 5
    assert "+7 \N{MINUS SIGN}2 of 9, e 3.25" in row.replace("\N{NO-BREAK SPACE}", " ")
    assert "<td>candidate</td>" in row
    assert f"<td>{BASE}</td>" in row


def test_a_verdict_without_rates_says_unknown_and_not_zero(project: Any, page: Any) -> None:
    project.report(project.model("m1"), evidence={})
    assert page.get("/").text.count('<td class="n">unknown</td>') == 6


def test_whoever_decides_sees_every_rate_that_pairs_are_compared_by(
    project: Any, page: Any
) -> None:
    verdict = project.report(project.model("m1"))
    text = page.get(f"/reports/{verdict.id}").text.replace("\N{NO-BREAK SPACE}", " ")
    for rate in SHOWN:
        row = f'<th scope="row">{rate}</th><td class="n">+14 \N{MINUS SIGN}1 of 24</td>'
        assert f'{row}<td class="n">+54 (+10 to +80)</td><td class="n">212</td>' in text
    assert "+7 \N{MINUS SIGN}2 of 9, e 3.25" in text


def test_a_sharpe_ratio_that_no_pair_has_is_unknown(project: Any, page: Any) -> None:
    none = {"pairs": 0, "wins": 0, "losses": 0, "e_value": None}
    verdict = project.report(project.model("m1"), evidence={"sharpe": none})
    text = page.get(f"/reports/{verdict.id}").text
    assert '<td class="n" colspan="3">unknown</td>' in text
    assert "of\N{NO-BREAK SPACE}0" not in text


def test_an_empty_store_says_how_to_get_a_report(page: Any) -> None:
    text = page.get("/").text
    assert "No report yet. Build one with <code>qc-lora report build</code>" in text
    assert "<form" not in text


def test_a_report_is_served_byte_for_byte_without_scripts_or_network(
    project: Any, page: Any
) -> None:
    verdict = project.report(project.model("m1"))
    shown = page.get(f"/reports/{verdict.id}")
    assert SENTENCE in shown.text
    assert f'src="/reports/{verdict.id}/file?token={page.token}"' in shown.text
    served = page.get(f"/reports/{verdict.id}/file")
    assert served.content == Path(verdict.report_path).read_bytes()
    policy = served.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert policy.endswith("sandbox")


def test_a_person_promotes_with_a_name_and_a_reason(project: Any, page: Any) -> None:
    verdict = project.report(project.model("m1"))
    done = page.promote(verdict, by="Ada", reason="Twice as many\r\ntrade.")
    assert done.status_code == 303
    assert project.production() == "m1"
    (row,) = project.store.promotions.history()
    assert (row.decided_by, row.reason) == ("Ada", "Twice as many\ntrade.")
    assert row.report_sha256 == verdict.report_sha256
    after = page.client.get(done.headers["location"]).text
    assert "<b>m1</b> is in production (before: none). Decided by Ada." in after


def test_a_promotion_is_taken_back_on_the_list(project: Any, page: Any) -> None:
    page.promote(project.report(project.model("m1")))
    page.promote(project.report(project.model("m2"), against="m1"))
    assert project.production() == "m2"
    done = page.decide("/rollback", page.fields("/"), by="Grace", reason="more time-outs")
    assert done.status_code == 303
    assert project.production() == "m1"
    after = page.client.get(done.headers["location"]).text
    assert "<b>m1</b> is in production again (before: m2). Decided by Grace." in after
    assert "<td>rollback</td>" in after


def test_nothing_to_go_back_to_is_told_in_the_words_of_the_command_line(
    project: Any, page: Any
) -> None:
    page.promote(project.report(project.model("m1")))
    refused = page.decide("/rollback", page.fields("/"))
    assert refused.status_code == 409
    assert "There is no earlier model to go back to: 'm1' is the first in production." in alert(
        refused
    )


def test_a_report_about_another_artefact_promotes_nothing(project: Any, page: Any) -> None:
    model, other = project.model("m1"), project.model("m2")
    theirs = project.report(other)
    mixed = project.report(
        model, report_path=theirs.report_path, report_sha256=theirs.report_sha256
    )
    refused = page.promote(mixed)
    assert refused.status_code == 409
    assert f"does not mention the artefact {model.sha256} of m1: it is about another" in alert(
        refused
    )
    assert project.store.promotions.history() == []


def test_an_artefact_changed_after_its_release_is_not_promoted(project: Any, page: Any) -> None:
    model = project.model("m1")
    verdict = project.report(model)
    Path(model.path).write_bytes(b"other weights")
    refused = page.promote(verdict, reason="looks good")
    assert refused.status_code == 409
    assert "The file was changed after its release; release the adapter again." in alert(refused)
    assert ">looks good</textarea>" in refused.text
    assert project.production() is None


def test_a_decision_without_a_name_is_refused(project: Any, page: Any) -> None:
    refused = page.promote(project.report(project.model("m1")), by="  ")
    assert refused.status_code == 409
    assert "A decision needs the name of who made it." in alert(refused)


def test_a_form_sent_twice_decides_once(project: Any, page: Any) -> None:
    page.promote(project.report(project.model("m1")))
    page.promote(project.report(project.model("m2"), against="m1"))
    page.promote(project.report(project.model("m3"), against="m2"))
    fields = page.fields("/")
    assert page.decide("/rollback", fields).status_code == 303
    refused = page.decide("/rollback", fields)
    assert refused.status_code == 409
    assert "Another decision came first: rollback of 'm2' by Ada." in alert(refused)
    assert project.production() == "m2"


def test_a_form_opened_before_the_command_line_decided_changes_nothing(
    project: Any, page: Any
) -> None:
    first, second = project.report(project.model("m1")), project.report(project.model("m2"))
    place = f"/reports/{second.id}"
    fields = page.fields(place)
    project.store.promotions.promote(
        "m1", project.store.models.get("m1").sha256, str(first.report_sha256), "Grace"
    )
    refused = page.decide(f"{place}/promote", fields)
    assert refused.status_code == 409
    assert "Another decision came first: promote of 'm1' by Grace." in alert(refused)
    assert project.production() == "m1"


def test_a_report_that_is_gone_is_told_and_cannot_be_decided_by(project: Any, page: Any) -> None:
    verdict = project.report(project.model("m1"))
    fields = page.fields(f"/reports/{verdict.id}")
    Path(verdict.report_path).unlink()
    shown = page.get(f"/reports/{verdict.id}")
    assert shown.status_code == 200
    assert "No report named" in shown.text
    assert "or build a new one with: qc-lora report build m1" in shown.text
    assert "<form" not in shown.text
    assert page.get(f"/reports/{verdict.id}/file").status_code == 404
    refused = page.decide(f"/reports/{verdict.id}/promote", fields)
    assert refused.status_code == 409
    assert alert(refused).startswith(f"No report named {verdict.report_path!r}.")


def test_a_report_changed_after_it_was_made_is_not_shown(project: Any, page: Any) -> None:
    verdict = project.report(project.model("m1"))
    fields = page.fields(f"/reports/{verdict.id}")
    path = Path(verdict.report_path)
    path.write_text(path.read_text() + "<!-- better than it was -->")
    assert (
        "was changed after it was made: its SHA-256 is" in page.get(f"/reports/{verdict.id}").text
    )
    assert "better than it was" not in page.get(f"/reports/{verdict.id}/file").text
    refused = page.decide(f"/reports/{verdict.id}/promote", fields)
    assert "does not belong to model 'm1': it is not in the store" in alert(refused)


def test_a_newer_report_under_the_old_name_is_not_taken_for_the_one_that_was_read(
    project: Any, page: Any
) -> None:
    model = project.model("m1")
    read = project.report(model)
    fields = page.fields(f"/reports/{read.id}")
    newer = project.report(model)
    Path(newer.report_path).rename(read.report_path)
    Path(read.report_path).write_text(f"<p>{model.sha256} again</p>")
    from qc_builder_lora.ids import file_hash

    project.report(
        model, report_path=read.report_path, report_sha256=file_hash(Path(read.report_path))
    )
    refused = page.decide(f"/reports/{read.id}/promote", fields)
    assert refused.status_code == 409
    assert "is another report by now" in alert(refused)
    assert project.production() is None


def test_a_verdict_without_a_report_says_how_to_build_one(project: Any, page: Any) -> None:
    verdict = project.report(project.model("m1"), report_path=None, report_sha256=None)
    shown = page.get(f"/reports/{verdict.id}").text
    assert "Build one with: qc-lora report build m1" in shown
    assert "<form" not in shown


def test_a_model_in_production_offers_no_second_promotion(project: Any, page: Any) -> None:
    verdict = project.report(project.model("m1"))
    page.promote(verdict)
    shown = page.get(f"/reports/{verdict.id}").text
    assert "This model is in production already." in shown
    assert "/promote" not in shown


def test_markup_in_names_reasons_and_verdicts_stays_text(project: Any, page: Any) -> None:
    evil = "<script>alert(1)</script>"
    verdict = project.report(project.model(f"m{evil}"), evidence={"sentence": evil})
    shown = page.get(f"/reports/{verdict.id}").text
    refused = page.promote(verdict, by=" ", reason=f"</textarea>{evil}").text
    done = page.promote(verdict, by=evil, reason=f'">{evil}')
    after = page.client.get(done.headers["location"]).text
    for text in (shown, refused, after):
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_an_unknown_report_says_where_they_are_listed(page: Any) -> None:
    answer = page.get("/reports/none")
    assert answer.status_code == 404
    assert alert(answer) == "No report named 'none'. See which there are: qc-lora report list"


def test_a_hundred_reports_are_shown_and_the_rest_is_pointed_to(project: Any, page: Any) -> None:
    model = project.model("m1")
    with project.store.transaction():
        for _ in range(101):
            project.report(model)
    text = page.get("/").text
    assert text.count('<th scope="row">') == 100
    assert "Only the newest 100 are shown" in text


def test_a_database_that_was_reset_under_the_page_is_said_and_nothing_can_be_decided(
    project: Any, page: Any
) -> None:
    verdict = project.report(project.model("m1"))
    place = f"/reports/{verdict.id}"
    fields = page.fields(place)
    for file in project.folder.glob("store.db*"):
        file.unlink()
    gone = page.get("/")
    assert gone.status_code == 503
    assert "the database file is gone" in gone.text
    Store.open(project.url).close()
    fresh = page.get("/")
    assert (fresh.status_code, "No report yet" in fresh.text) == (200, True)
    assert page.get(place).status_code == 404
    assert page.decide(f"{place}/promote", fields).status_code == 404
    assert project.store.promotions.history() == []
