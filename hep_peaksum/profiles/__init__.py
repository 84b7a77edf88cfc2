"""What FAST-HEP finds under ``hep_peaksum:NAME`` in ``use: profiles``, a YAML file each."""
