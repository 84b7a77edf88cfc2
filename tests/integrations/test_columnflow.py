"""In columnflow: the producers of the example on NanoAOD events, and producers derived from them."""

import re
from importlib.util import find_spec

import numpy as np
import pytest
from framework_events import N, expected_clusters, tied_cells, write_events
from places import EXAMPLES

if find_spec("law") is None or find_spec("columnflow") is None:  # imported later: it reads law.cfg at once
    pytest.skip("columnflow is not installed: nox -s columnflow", allow_module_level=True)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
FOLDER = EXAMPLES / "columnflow"


@pytest.fixture(scope="module")
def producers():
    """Return the class that finds producers by name, with those of the example known as law.cfg says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAW_CONFIG_FILE", str(FOLDER / "law.cfg"))
        patch.syspath_prepend(str(FOLDER))
        from columnflow.production import Producer

        yield Producer


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

    path = tmp_path_factory.mktemp("columnflow") / "events.root"
    write_events(path, tied_cells())
    return NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=NanoAODSchema).events()


def test_the_producer_adds_the_clusters_of_the_plain_loops(producers, events):
    clusters = producers.get_cls("clusters")()(events).Cluster
    fields = [clusters[name].to_list() for name in ("row", "col", "peak_sum")]
    found = [list(zip(*event, strict=True)) for event in zip(*fields, strict=True)]
    assert found == expected_clusters(tied_cells())


def test_a_producer_says_what_it_reads_and_what_it_adds(producers):
    producer = producers.get_cls("clusters")()
    assert {route.column for route in producer.used_columns} == {"CaloTower.et"}
    assert {"Cluster.pt", "Cluster.eta", "Cluster.peak_sum"} <= {
        each.column for each in producer.produced_columns
    }


def test_a_derived_producer_has_settings_of_its_own(producers, events):
    tight = producers.get_cls("tight_clusters")()(events).TightCluster
    assert len(tight) == N
    loose = producers.get_cls("clusters")()(events).Cluster
    assert tight.peak_sum.to_list() == loose[loose.seed > 3].peak_sum.to_list()


def test_fields_and_name_are_derived(producers, events):
    few = producers.get_cls("clusters").derive(
        "few", cls_dict={"fields": ["pt", "isolation"], "output": "Jet"}
    )()
    assert {route.column for route in few.produced_columns} == {"Jet.pt", "Jet.isolation"}
    assert np.all(np.isfinite(few(events).Jet.isolation.to_list()[0]))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"settings": {"seed_treshold": 3}},
            "Cluster: settings: PeakSumSettings has no 'seed_treshold' (did you",
        ),
        ({"grid": "cms-towers"}, "Cluster: grid: no geometry is called 'cms-towers'"),
        ({"fields": ["ptt"]}, "Cluster: no field is called 'ptt' (did you mean 'pt'?)"),
    ],
)
def test_a_mistake_is_one_line_when_the_producer_is_made(producers, keys, message):
    wrong = producers.get_cls("clusters").derive(f"wrong_{next(iter(keys))}", cls_dict=keys)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        wrong()
    assert len(str(error.value).splitlines()) == 1


def test_a_missing_column_is_one_line_that_says_what_there_is(producers, events):
    wrong = producers.get_cls("clusters").derive("elsewhere", cls_dict={"cells": "CaloTower.ett"})()
    with pytest.raises(ValueError, match=r"^CaloTower.ett: no 'ett' in CaloTower \(did you mean 'et'\?\)$"):
        wrong.search.find(events)
