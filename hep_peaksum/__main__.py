"""Run ``hep-peaksum`` as ``python -m hep_peaksum``."""

from __future__ import annotations

from hep_peaksum.cli.main import main

if __name__ == "__main__":
    main()
