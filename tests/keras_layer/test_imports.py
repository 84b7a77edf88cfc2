"""What importing the package and `hep_peaksum.keras` imports, with and without Keras."""

import subprocess
import sys

import pytest


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "names",
    [
        "import hep_peaksum as p; p.peak_sum_map, p.PeakSumSettings",
        "import hep_peaksum.keras.support, hep_peaksum.keras.hls",
        "from hep_peaksum.keras import hls_config",
    ],
)
def test_importing_the_package_does_not_import_keras(names):
    process = python(f"import sys; {names}; assert 'keras' not in sys.modules")
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import hep_peaksum.keras.layer",
        "from hep_peaksum.keras import PeakSum2D",
        "from hep_peaksum.keras import standard_model",
    ],
)
def test_without_keras_the_import_error_says_what_to_install(code):
    process = python(f"import sys; sys.modules['keras'] = None; {code}")
    assert "ImportError: the layer needs Keras 3" in process.stderr
    assert "pip install 'hep_peaksum[keras]'" in process.stderr.splitlines()[-1]


def test_only_the_public_names_are_listed_and_loaded():
    import hep_peaksum.keras

    assert dir(hep_peaksum.keras) == hep_peaksum.keras.__all__
    with pytest.raises(AttributeError, match=r"'hep_peaksum.keras' has no attribute 'PeakSum3D'"):
        _ = hep_peaksum.keras.PeakSum3D
