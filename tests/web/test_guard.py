"""Who gets in: nobody without the token, and nobody under another machine's name."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest


@pytest.mark.parametrize("path", ["/", "/reports/x", "/reports/x/file", "/nothing"])
@pytest.mark.parametrize("token", [None, "", "wrong", "\N{SNOWMAN}"])
def test_reading_without_the_token_is_refused(page: Any, path: str, token: str | None) -> None:
    answer = page.client.get(path, params={} if token is None else {"token": token})
    assert answer.status_code == 403
    assert "The token is missing or wrong. Open the link that" in answer.text
    assert page.token not in answer.text


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_decision_without_the_token_changes_nothing(
    project: Any, page: Any, token: str | None
) -> None:
    verdict = project.report(project.model("m1"))
    fields = page.fields(f"/reports/{verdict.id}")
    del fields["token"]
    if token is not None:
        fields["token"] = token
    for path in (f"/reports/{verdict.id}/promote", "/rollback"):
        # The token in the address is no help: that is what another site could link to.
        answer = page.client.post(
            path, params={"token": page.token}, data={**fields, "by": "Mallory"}
        )
        assert answer.status_code == 403
    assert project.store.promotions.history() == []


def test_the_token_of_another_start_opens_nothing(start: Any) -> None:
    first, second = start(), start()
    assert first.token != second.token
    answer = second.client.get("/", params={"token": first.token})
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.1.2.3", "127.0.0.1.x", ""])
def test_another_name_is_refused_even_with_the_token(project: Any, page: Any, host: str) -> None:
    verdict = project.report(project.model("m1"))
    fields = page.fields(f"/reports/{verdict.id}")
    read = page.get("/", headers={"host": host})
    assert read.status_code == 421
    assert f"This page does not answer to the name &#39;{host}&#39;" in read.text
    decided = page.client.post(
        f"/reports/{verdict.id}/promote", data={**fields, "by": "M"}, headers={"host": host}
    )
    assert decided.status_code == 421
    assert project.production() is None


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_every_name_of_loopback_is_ours_whatever_port_a_tunnel_gave_it(
    page: Any, host: str
) -> None:
    assert page.get("/", headers={"host": host}).status_code == 200


def test_bound_to_the_network_it_answers_to_addresses_and_its_own_name_only(start: Any) -> None:
    page = start("box.lan")
    answers = {
        host: page.get("/", headers={"host": host}).status_code
        for host in ("box.lan:9", "10.1.2.3", "evil.example")
    }
    assert answers == {"box.lan:9": 200, "10.1.2.3": 200, "evil.example": 421}


def test_every_answer_keeps_scripts_frames_and_the_address_in(page: Any) -> None:
    for answer in (page.get("/"), page.client.get("/"), page.get("/nothing")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_the_policy_allows_the_page_its_own_style_sheet_and_no_other(page: Any) -> None:
    answer = page.get("/")
    (css,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in answer.headers["content-security-policy"]
    assert " style=" not in answer.text


def test_what_is_no_form_of_ours_is_refused(page: Any) -> None:
    many = "&".join(f"f{number}=1" for number in range(30))
    for body, status in (("x" * 70_000, 413), (b"\xff=\xfe", 400), (many, 400)):
        assert page.client.post("/rollback", content=body).status_code == status
    assert page.client.put("/rollback", content="").status_code == 405
