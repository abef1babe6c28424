import subprocess
import sys

import pytest

HEAVY = (
    "anthropic",
    "openai",
    "google.genai",
    "llama_cpp",
    "httpx2",
    "starlette",
    "uvicorn",
    "torch",
)


@pytest.mark.parametrize(
    "module",
    [
        "qc_builder_lora.template",
        "qc_builder_lora.models.provider",
        "qc_builder_lora.models.local",
        "qc_builder_lora.models.anthropic",
        "qc_builder_lora.gateway.serving",
        "qc_builder_lora.cli.serve",
        "qc_builder_lora.cli.generate",
    ],
)
def test_module_loads_no_heavy_library(module):
    program = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
