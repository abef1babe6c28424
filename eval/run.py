"""This stage alone: `python eval/run.py [SUITE]` scores the newest model beside the champion."""

import sys

from qc_builder_lora.cli import main

if __name__ == "__main__":
    suite = sys.argv[1] if len(sys.argv) > 1 else "smoke"
    main(["eval", "--suite", suite])
