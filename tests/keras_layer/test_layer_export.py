"""The Keras layer, compiled or exported, on the backend that KERAS_BACKEND names."""

from importlib.util import find_spec

import numpy as np
import pytest
from keras_backend import BACKEND, PeakSum2D, counts, ignore_array_warning, keras

from hep_peaksum import peak_sum_map

if BACKEND == "jax":
    import jax

pytestmark = ignore_array_warning


def compiled(layer):
    """Return the layer as a compiled function of a tensor, in every way that the backend has."""
    if BACKEND == "jax":
        return [jax.jit(layer)]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        any_size = tf.TensorSpec((None, None, None, 1), "float32")
        return [
            tf.function(layer, input_signature=[any_size], autograph=False),
            tf.function(layer, jit_compile=True, autograph=False),
        ]
    if BACKEND == "torch":
        import torch

        return [lambda cells: torch.export.export(layer, (cells,)).module()(cells)]
    return []


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"periodic": (True, True)}, {"max_clusters": 3}, {"gradient": "soft"}, {"seed_window": (3, 3)}],
    ids=str,
)
def test_a_compiled_layer_gives_the_same_output(options):
    layer, cells = PeakSum2D(**options), counts(4, 12, 10, 1).astype("float32")
    expected = keras.ops.convert_to_numpy(layer(cells))
    functions = compiled(layer)
    if not functions:
        pytest.skip("the numpy backend compiles nothing")
    for function in functions:
        got = keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(cells)))
        assert got == pytest.approx(expected, rel=1e-6)


EXPORTED = [
    {},
    {"data_format": "channels_first", "periodic": (True, True), "tie_rule": "last"},
    {"sum_window": (5, 5), "seed_window": (3, 3), "partial_seed_windows": False, "cell_threshold": 1},
    {"returns": "both", "layers": "sum", "mask": np.eye(12, 10, dtype=bool)},
    {"returns": "leading", "max_clusters": 3},
    {"gradient": "soft"},
]


def exported(options):
    """Return a model of the layer, cells, and the list of its outputs for them, as arrays."""
    layer = PeakSum2D(**options)
    shape = (2, 12, 10) if layer.data_format == "channels_first" else (12, 10, 2)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    cells = counts(4, *shape).astype("float32")
    outputs = model(cells)
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return model, cells, list(map(keras.ops.convert_to_numpy, outputs))


@pytest.mark.slow
@pytest.mark.skipif(BACKEND not in ("torch", "tensorflow"), reason=f"Keras exports no ONNX from {BACKEND}")
@pytest.mark.filterwarnings("ignore")  # the exporters warn
@pytest.mark.parametrize("options", EXPORTED, ids=lambda options: " ".join(options) or "default")
def test_an_onnx_model_gives_the_same_output(options, tmp_path):
    for module in ("onnxruntime", "onnxscript" if BACKEND == "torch" else "tf2onnx"):
        if not find_spec(module):
            pytest.skip(f"no {module} here")
    import onnxruntime

    model, cells, expected = exported(options)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    outputs = session.run(None, {session.get_inputs()[0].name: cells})
    for got, array in zip(outputs, expected, strict=True):
        assert got == pytest.approx(array, rel=1e-6, abs=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="a SavedModel is tensorflow's")
def test_a_saved_model_gives_the_same_output(tmp_path):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((None, None, 1)), PeakSum2D(periodic=(False, True))])
    cells = counts(4, 12, 10, 1).astype("float32")
    model.export(tmp_path / "model", verbose=False)
    served = tf.saved_model.load(tmp_path / "model")
    assert np.array_equal(served.serve(cells), model(cells))


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TFLite model is tensorflow's")
@pytest.mark.filterwarnings("ignore")  # the converter warns
@pytest.mark.parametrize("options", EXPORTED, ids=lambda options: " ".join(options) or "default")
def test_a_tflite_model_gives_the_same_output(options, tmp_path):
    if not find_spec("ai_edge_litert"):
        pytest.skip("no ai_edge_litert here: pip install ai-edge-litert")
    from ai_edge_litert.interpreter import Interpreter

    model, cells, expected = exported(options)
    model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    interpreter = Interpreter(str(tmp_path / "model.tflite"))
    (cells_input,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(cells_input["index"], cells.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(cells_input["index"], cells)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]
    for got, array in zip(sorted(outputs, key=np.ndim, reverse=True), expected, strict=True):
        assert got == pytest.approx(array, rel=1e-6, abs=1e-12)


@pytest.mark.skipif(BACKEND != "torch", reason="a torch module is torch's")
def test_with_torch_the_layer_is_a_torch_module():
    import torch

    model = torch.nn.Sequential(PeakSum2D(data_format="channels_first"), torch.nn.Flatten())
    cells = counts(4, 1, 12, 10)
    assert np.array_equal(
        model(torch.tensor(cells, dtype=torch.float32)).reshape(4, 12, 10), peak_sum_map(cells[:, 0])
    )
    assert not list(model.parameters())
