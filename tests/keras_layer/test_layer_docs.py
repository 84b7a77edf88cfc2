"""The Keras examples run, and the layers shown on the page of the docs equal `peak_sum_map`."""

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from keras_backend import BACKEND, counts, ignore_array_warning
from places import DOCS, EXAMPLES

from hep_peaksum import peak_sum_map

pytestmark = ignore_array_warning

BLOCKS = re.findall(r"```python\n(.*?)```", (DOCS / "keras.md").read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "backends"),
    [
        ("keras_original_question", ("tensorflow", "torch", "jax", "numpy")),
        ("keras_calibration", ("tensorflow", "torch", "jax")),
        ("keras_training", ("tensorflow", "torch", "jax")),
        ("keras_torch_module", ("torch",)),
    ],
)
def test_an_example_runs(example, backends, tmp_path, monkeypatch):
    if BACKEND not in backends:
        pytest.skip(f"{example} is not for {BACKEND}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    with contextlib.redirect_stdout(
        io.StringIO()
    ) as stdout:  # in this process, where Keras is imported already
        runpy.run_path(str(EXAMPLES / f"{example}.py"), run_name="__main__")
    assert stdout.getvalue()
    if example in ("keras_calibration", "keras_training"):
        before, after = map(float, re.findall(r"([\d.]+)%", stdout.getvalue()))
        assert after < before / 20


def test_the_first_model_of_the_page_equals_peak_sum_map():
    names = {}
    exec(BLOCKS[0], names)
    cells = counts(4, 24, 16)
    got = names["model"].predict(cells[:, None].astype("float32"), verbose=0)
    assert np.array_equal(got[:, 0], peak_sum_map(cells))


(FOR_KERAS_2,) = (block for block in BLOCKS if "tf.keras" in block)
COMPARISON = """
import numpy as np
import tensorflow as tf
from hep_peaksum import Axis, Grid, peak_sum_map

for periodic in (False, True):
    grid = Grid(rows=Axis(n=7), cols=Axis(n=6, periodic=periodic))
    cells = np.random.default_rng(1).integers(0, 4, (20, 7, 6))
    model = tf.keras.Sequential([tf.keras.Input((None, None, 1)), PeakSum(periodic=periodic)])
    for layer in (model, PeakSum.from_config(model.layers[-1].get_config())):
        assert np.array_equal(layer(cells[..., None].astype("float32"))[..., 0], peak_sum_map(cells, grid=grid))
print(tf.keras.layers.Layer.__module__)
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="it is a layer of tf.keras")
def test_the_layer_of_the_page_for_keras_2_equals_peak_sum_map_on_keras_3():
    exec(FOR_KERAS_2 + COMPARISON, {})


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="it is a layer of tf.keras")
def test_the_layer_of_the_page_for_keras_2_equals_peak_sum_map_on_keras_2():
    if not find_spec("tf_keras"):
        pytest.skip("no tf_keras here: pip install tf_keras")
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
    command = [sys.executable, "-c", FOR_KERAS_2 + COMPARISON]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("tf_keras.")
