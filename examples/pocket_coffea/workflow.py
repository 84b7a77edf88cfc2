"""A workflow of PocketCoffea whose events have clusters: those of `peaksum.yaml`."""

import awkward as ak
from pocket_coffea.workflows.base import BaseProcessorABC

from hep_peaksum.integrations.pocket_coffea import PeakSumMixin


class Workflow(PeakSumMixin, BaseProcessorABC):
    """Any workflow; the mixin adds the collections after the skim."""

    def apply_object_preselection(self, variation):
        self.events["ClusterGood"] = self.events.Cluster[self.events.Cluster.pt > 5]

    def count_objects(self, variation):
        self.events["nClusterGood"] = ak.num(self.events.ClusterGood)
