"""JSON and SARIF, as programs read them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from qc_builder_lora.backtest.check.checking import Checked, check
from qc_builder_lora.backtest.check.example import as_strategy
from qc_builder_lora.backtest.check.handed_in import read_bytes
from qc_builder_lora.backtest.check.rules import RULES
from qc_builder_lora.backtest.check.told import plain, sarif

TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
}
LOCATION = {
    "type": "object",
    "required": ["uri"],
    "properties": {
        "uri": {"type": "string", "format": "uri-reference", "pattern": r"^[^\s\\]+$"},
        "index": {"type": "integer", "minimum": -1},
    },
}
REGION = {
    "type": "object",
    "required": ["startLine"],
    "properties": {
        name: {"type": "integer", "minimum": 1}
        for name in ("startLine", "startColumn", "endLine", "endColumn")
    },
    "additionalProperties": False,
}
PLACES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["physicalLocation"],
        "properties": {
            "physicalLocation": {
                "type": "object",
                "required": ["artifactLocation"],
                "properties": {"artifactLocation": LOCATION, "region": REGION},
                "additionalProperties": False,
            }
        },
    },
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"}, "name": {"type": "string"}, "shortDescription": TEXT,
        "fullDescription": TEXT, "help": TEXT,
        "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}},
    },
    "additionalProperties": False,
}  # fmt: skip
FIX = {
    "type": "object",
    "required": ["artifactChanges"],
    "properties": {
        "description": TEXT,
        "artifactChanges": {
            "type": "array", "minItems": 1,
            "items": {
                "type": "object",
                "required": ["artifactLocation", "replacements"],
                "properties": {
                    "artifactLocation": LOCATION,
                    "replacements": {
                        "type": "array", "minItems": 1,
                        "items": {
                            "type": "object", "required": ["deletedRegion"],
                            "properties": {
                                "deletedRegion": {
                                    "type": "object",
                                    "required": ["charOffset", "charLength"],
                                    "properties": {
                                        "charOffset": {"type": "integer", "minimum": 0},
                                        "charLength": {"type": "integer", "minimum": 0},
                                    },
                                },
                                "insertedContent": {
                                    "type": "object", "properties": {"text": {"type": "string"}}
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip
RESULT = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL, "message": TEXT, "locations": PLACES,
        "fixes": {"type": "array", "items": FIX},
    },
    "additionalProperties": False,
}  # fmt: skip
# The parts of the standard's own schema that we write to, with its required keys.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {
                        "type": "object", "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object", "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"pattern": r"^\d+\.\d+\.\d+"},
                                    "rules": {"type": "array", "uniqueItems": True, "items": RULE},
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "artifacts": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"location": LOCATION}},
                    },
                    "invocations": {
                        "type": "array",
                        "items": {
                            "type": "object", "required": ["executionSuccessful"],
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": {
                                    "type": "array",
                                    "items": {
                                        "type": "object", "required": ["message"],
                                        "properties": {
                                            "level": LEVEL, "message": TEXT, "locations": PLACES
                                        },
                                    },
                                },
                            },
                        },
                    },
                    "results": {"type": "array", "items": RESULT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}  # fmt: skip


def checked(**codes: str) -> list[Checked]:
    files = [read_bytes(f"a folder/{name}.py", code.encode()) for name, code in codes.items()]
    return check(files, types=False)


@pytest.fixture(scope="module")
def many() -> list[Checked]:
    """Every rule's bad example, one file each, and files that are none."""
    codes = {rule.id: as_strategy(rule.bad) for rule in RULES}
    return checked(**codes, broken="class (", empty="", same=codes["QC001"])


def test_the_sarif_log_is_valid_and_every_result_names_its_rule(many: list[Checked]) -> None:
    log = json.loads(json.dumps(sarif(many, RULES, types=False)))
    jsonschema.validate(log, SARIF, format_checker=jsonschema.FormatChecker())
    (run,) = log["runs"]
    known = run["tool"]["driver"]["rules"]
    assert {one["ruleId"] for one in run["results"]} >= {*(rule.id for rule in RULES), "QC000"}
    for result in run["results"]:
        assert known[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][place["index"]]["location"]["uri"] == place["uri"]
        assert place["uri"].startswith("a%20folder/")


def test_a_repair_in_the_sarif_log_is_the_one_that_fix_makes() -> None:
    (one,) = checked(a=as_strategy('self.add_equity("SPY", Resolution.Daily)'))
    log = sarif([one], RULES, types=False)
    (result,) = [r for r in log["runs"][0]["results"] if r["ruleId"] == "QC007"]
    text = one.text
    for change in result["fixes"][0]["artifactChanges"][0]["replacements"]:
        start = change["deletedRegion"]["charOffset"]
        end = start + change["deletedRegion"]["charLength"]
        text = text[:start] + change["insertedContent"]["text"] + text[end:]
    assert text == one.text.replace("Daily", "DAILY")


def test_an_unknown_file_is_a_notification_and_no_result() -> None:
    one = Checked(path="a.py", text="x = 1\n", reason="mypy broke down")
    log = sarif([one], RULES, types=True)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    assert run["invocations"][0]["executionSuccessful"] is False
    note = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert note == "unknown: mypy broke down"
    assert run["results"] == []


def test_json_has_each_files_verdict_with_line_column_message_and_cure(many: list[Checked]) -> None:
    table: dict[str, Any] = json.loads(json.dumps(plain(many, types=False)))
    assert table["tool"]["types"] is None
    by_name = {one["file"]: one for one in table["files"]}
    assert by_name["a folder/broken.py"]["verdict"] == "FAIL"
    assert by_name["a folder/broken.py"]["parses"] is False
    style = by_name["a folder/QC007.py"]
    assert (style["strategy"], style["compiles"]) == ("Example", None)
    found = next(one for one in style["findings"] if one["rule"] == "QC007")
    assert {key: found[key] for key in ("severity", "line", "column", "repairable")} == {
        "severity": "style", "line": 7, "column": 32, "repairable": True,
    }  # fmt: skip
    assert found["cure"] == "Write Resolution.DAILY"
    counts = table["counts"]
    assert counts["files"] == len(many) == counts["PASS"] + counts["FAIL"] + counts["UNKNOWN"]


def test_a_strategy_that_another_file_holds_is_a_warning_and_changes_no_verdict() -> None:
    good = as_strategy("def on_data(self, data):\n    self.set_holdings('SPY', 1)\n")
    first, second = checked(one=good, two=good.replace("Example", "Other"))
    assert [one.rule for one in second.findings] == ["QC025", "QC066"]
    assert second.findings[1].message == "the same strategy as a folder/one.py"
    assert first.verdict == second.verdict
