"""Clusters in a workflow of PocketCoffea, from the parameters of the analysis.

It imports nothing of PocketCoffea, and works with its releases on awkward 1 and its branch on awkward 2.
"""

from __future__ import annotations

from typing import Any

from hep_peaksum.integrations.collection import collections


class PeakSumMixin:
    """Collections of clusters in the events, for a workflow: ``class Mine(PeakSumMixin, BaseProcessorABC)``.

    They are those of the parameters ``peaksum``, by name, and are made after the skim. Each has the keys of
    `hep_peaksum.integrations.collection.ClusterCollection`::

        peaksum:
          Cluster: {cells: CaloTower.et, grid: cms-l1-towers, settings: {seed_threshold: 4 GeV}}

    Wrong keys are a ValueError when the workflow is made, before any file is read.
    """

    events: Any  # of the workflow

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)  # type: ignore[call-arg]  # of the workflow
        from omegaconf import OmegaConf  # noqa: PLC0415  # comes with PocketCoffea

        given = cfg.parameters.get("peaksum")
        if not given:
            msg = "parameters have no peaksum: add peaksum: {Cluster: {cells: ..., grid: ..., settings: ...}}"
            raise ValueError(msg)
        self.peaksum = collections(OmegaConf.to_container(OmegaConf.create(given), resolve=True))

    def process_extra_after_skim(self) -> None:
        """Add the collections to the events."""
        super().process_extra_after_skim()  # type: ignore[misc]  # of the workflow
        for name, search in self.peaksum.items():
            self.events[name] = search.find(self.events)
