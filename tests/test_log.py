import json
import logging
import subprocess
import sys

import pytest

from qc_builder_lora import log as log_module
from qc_builder_lora.log import configure, get_logger


@pytest.fixture(autouse=True)
def restored():
    logger = logging.getLogger("qc_builder_lora")
    before = (logger.level, logger.propagate, logger.handlers[:], log_module._format)
    yield
    logger.level, logger.propagate, logger.handlers[:], log_module._format = before


def test_json_is_one_object_a_line_on_standard_error(capsys):
    configure("json")
    get_logger("qc_builder_lora.x").warning("provider failed", provider="openai", tokens=None)
    out, said = capsys.readouterr()
    told = json.loads(said)
    assert out == ""
    assert (told["event"], told["provider"], told["level"]) == (
        "provider failed",
        "openai",
        "warning",
    )
    assert told["timestamp"].endswith("Z")


def test_console_line_has_event_and_keys(capsys):
    configure("console")
    get_logger("qc_builder_lora.x").info("turn over", models=2)
    assert capsys.readouterr().err.strip().endswith("info    turn over models=2")


def test_library_that_nobody_configured_leaves_standard_output_alone():
    program = (
        "from qc_builder_lora.log import get_logger\n"
        "log = get_logger('qc_builder_lora.x')\n"
        "log.info('quiet')\nlog.warning('loud')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert "loud" in done.stderr
    assert "quiet" not in done.stderr
