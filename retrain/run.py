"""This stage alone: `python retrain/run.py [RECIPE]` trains a recipe on the newest snapshot."""

import sys

from qc_builder_lora.cli import main

if __name__ == "__main__":
    recipe = sys.argv[1] if len(sys.argv) > 1 else "gemma-3-270m"
    main(["retrain", "--recipe", recipe])
