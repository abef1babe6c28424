import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.upstream import Upstream

KEY = "sk-wrong-0123456789"


@pytest.mark.parametrize(
    ("provider", "variable"), [("anthropic", "ANTHROPIC_API_KEY"), ("openai", "OPENAI_API_KEY")]
)
def test_wrong_key_is_one_sentence_with_a_cure_and_without_the_key(
    tmp_path: Path, provider: str, variable: str
) -> None:
    with Upstream(provider, "401") as upstream:
        done = subprocess.run(
            [sys.executable, "-m", "qc_builder_lora.cli", "generate", "Buy AAPL."],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(sys.path),
                "QC_LORA_HOME": str(tmp_path / "home"),
                "QC_LORA_PROVIDERS": provider,
                f"QC_LORA_{provider.upper()}_URL": upstream.url,
                variable: KEY,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert len(upstream.requests) == 1
    assert done.returncode == 1
    assert done.stdout == ""
    assert provider in done.stderr
    assert "Check the key and the account." in done.stderr
    assert KEY not in done.stderr
    assert "Traceback" not in done.stderr
