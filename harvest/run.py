"""This stage alone: take what the builder recorded into the store. `python harvest/run.py`"""

from qc_builder_lora.config import load_settings
from qc_builder_lora.harvest.ingest import ingest
from qc_builder_lora.store import Store

if __name__ == "__main__":
    settings = load_settings()
    with Store.open(settings.database_url) as store:
        report = ingest(store, settings.home)
    print(f"{report.builds} builds, {report.generations} generations, {dict(report.labels)}")
