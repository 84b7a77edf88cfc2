"""A derived field from a correctionlib file, against the same factor by hand."""

import numpy as np
import pytest
from selected_jobs import finished, jets_of

from hep_peaksum.config.load import parse_config
from hep_peaksum.preview.check import check_inputs

cs = pytest.importorskip("correctionlib.schemav2", reason="correctionlib is not installed")
# of correctionlib's own models, with an old pydantic
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")


@pytest.fixture
def corrections(tmp_path):
    """Return the path of a file with a factor in bins of the seed, times the sum, times a number."""
    bins = cs.Binning(
        nodetype="binning", input="seed", edges=[0, 7.5, 9], flow="clamp",
        content=[
            cs.Formula(nodetype="formula", parser="TFormula", variables=["sum", "part"], expression=text)
            for text in ("2*x*y", "3*x*y")
        ],
    )  # fmt: skip
    inputs = [cs.Variable(name=name, type="real") for name in ("seed", "sum", "part")]
    output = cs.Variable(name="corrected", type="real")
    scale = cs.Correction(name="scale", version=1, inputs=inputs, output=output, data=bins)
    path = tmp_path / "corrections.json"
    path.write_text(cs.CorrectionSet(schema_version=2, corrections=[scale]).model_dump_json(exclude_unset=True))
    return str(path)


def test_a_correction_is_a_field_like_any_other(config, samples, corrections):
    how = {"correctionlib": corrections, "name": "scale", "inputs": ["seed", "peak_sum", 0.5]}
    content = config(
        derive={"Jet": {"corrected": how}},
        select={"High": {"from": "Jet", "where": [{"field": "corrected", "min": 30}]}},
        histograms={"n_high": {"axes": [{"field": "nHigh", "bins": 9, "start": 0, "stop": 9}]}},
    )
    result, events = finished(content)
    jets = jets_of(samples)
    expected = [
        [total * (1 if seed < 7.5 else 1.5) for seed, total in zip(seeds, sums, strict=True)]
        for seeds, sums in zip(jets.seed.to_list(), jets.peak_sum.to_list(), strict=True)
    ]
    assert events.Jet_corrected.to_list() == expected
    n_high = [sum(value >= 30 for value in each) for each in expected]
    assert result.histograms["toy"]["n_high"].values().tolist() == np.bincount(n_high, minlength=9)[:9].tolist()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("scal", "no correction 'scal'; there are scale"),
        ("scale", r"number of inputs .*: it takes seed, sum, part, in this order$"),
    ],
)
def test_a_correction_that_cannot_be_made_is_one_line(config, corrections, name, problem):
    content = config(derive={"Jet": {"a": {"correctionlib": corrections, "name": name, "inputs": ["seed"]}}})
    with pytest.raises(ValueError, match=problem):
        check_inputs(parse_config(content))
