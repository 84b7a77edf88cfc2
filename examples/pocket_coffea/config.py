"""An analysis with PocketCoffea 0.9: `runner --cfg config.py -o out -e iterative`, on datasets.json."""

from pathlib import Path

import cloudpickle
import workflow
from omegaconf import OmegaConf
from pocket_coffea.lib.columns_manager import ColOut
from pocket_coffea.lib.hist_manager import Axis, HistConf
from pocket_coffea.parameters.cuts import passthrough
from pocket_coffea.utils.configurator import Configurator

cloudpickle.register_pickle_by_value(workflow)

# usually get_default_parameters(), which needs /cvmfs
parameters = OmegaConf.create({"jets_calibration": {}, "default_nano_version": {"2018": 9}})
parameters.merge_with(OmegaConf.load(Path(__file__).with_name("peaksum.yaml")))

NOTHING = {"common": {"inclusive": [], "bycategory": {}}, "bysample": {}}
FIELDS = ["pt", "eta", "phi", "peak_sum", "row", "col"]
cfg = Configurator(
    parameters=parameters,
    datasets={"jsons": [str(Path.cwd() / "datasets.json")], "filter": {"samples": ["toy"], "year": ["2018"]}},
    workflow=workflow.Workflow,
    skim=[],
    preselections=[passthrough],
    categories={"all": [passthrough]},
    weights=NOTHING,
    weights_classes=[],
    calibrators=[],
    variations={"weights": NOTHING},
    variables={
        "pt": HistConf([Axis(coll="ClusterGood", field="pt", bins=50, start=0, stop=100, label="pt [GeV]")])
    },
    columns={"common": {"inclusive": [ColOut("events", ["event"]), ColOut("Cluster", FIELDS)]}, "bysample": {}},
)
