"""``python -m hep_peaksum`` is ``hep-peaksum``."""

from __future__ import annotations

from hep_peaksum.cli.main import main

if __name__ == "__main__":
    main()
