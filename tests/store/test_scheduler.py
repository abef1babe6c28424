from pathlib import Path

import pytest

from qc_builder_lora.config import load_settings
from qc_builder_lora.daemon import Daemon
from qc_builder_lora.store import Store


def test_the_daemons_scheduler_keeps_its_cron_job_on_both(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qc_builder_lora.daemon._running", None)
    settings = load_settings({}, tmp_path, retrain_cron="0 3 * * 6", poll_s=3600)
    for _ in range(2):
        daemon = Daemon(settings, store)
        assert daemon._start()
        kept = [job.id for job in daemon._scheduler.get_jobs("default")]
        daemon._scheduler.shutdown()
        assert kept == ["cron"]
    assert store.leases.current("daemon start") is None
