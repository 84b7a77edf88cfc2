"""`check` tries conditions, weights, references and derived fields on the first entries, as `run` would."""

import numpy as np
import pytest
import uproot

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.preview.check import check_inputs


@pytest.fixture
def content(tmp_path):
    path = tmp_path / "events.root"
    with uproot.recreate(path) as file:
        cells = np.arange(240.0).reshape(10, 24)
        file["Events"] = {"cells": cells, "x": np.arange(10.0), "word": np.arange(10)}
    return {
        "datasets": {"a": {"files": {str(path): "Events"}}},
        "grids": {"calo": {"dense": {"branch": "cells", "shape": [4, 6]}}},
        "clusters": {"Jet": {"grid": "calo"}},
        "output": {"directory": str(tmp_path / "results")},
    }


def raises(_):
    """Return what no cluster has."""
    return np.zeros(3)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"events": {"where": [{"branch": "xx", "min": 1}]}}, "events.where.0.branch: .*no branch 'xx'"),
        ({"events": {"where": [{"branch": "cells", "min": 1}]}}, "events.where: .*'cells' has several values"),
        ({"events": {"where": ["nowhere:f"]}}, "events.where: .*nowhere:f cannot be imported"),
        ({"events": {"weight": {"w": "cells"}}}, "'cells' has several values for every event, expected one"),
        ({"references": {"R": {"x": "x", "y": "word"}}}, "references: .*'x' has 0 axes below the event"),
        ({"derive": {"Jet": {"a": f"{__name__}:raises"}}}, "derive.Jet.a: "),
    ],
)
def test_what_run_would_refuse_is_a_problem(content, sections, words):
    with pytest.raises(ConfigError, match=words):
        check_inputs(parse_config({**content, **sections}))


def test_branches_of_other_datasets_are_not_needed(content):
    content["datasets"]["b"] = {"files": {"gone.root": "Events"}}
    content["events"] = {"where": [{"branch": "absent", "min": 1, "datasets": ["b"]}]}
    assert "absent" not in str(check_inputs(parse_config(content)))
