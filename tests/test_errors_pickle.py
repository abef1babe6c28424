import pickle
from pathlib import Path

import pytest

from qc_builder_lora.errors import CorruptFile, DiskFull, MissingExtra, ProviderError, UnknownKey


@pytest.mark.parametrize(
    "error",
    [
        UnknownKey("file", "ky", ["key"]),
        MissingExtra("train", "torch"),
        CorruptFile(Path("x"), "cut", "Copy it."),
        DiskFull(Path("x"), 3.0, 1.0, "Kept."),
        ProviderError("openai", "timeout", "late", retry_after_s=3.0),
    ],
)
def test_error_crosses_a_process_border_whole(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
