#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""The checks and tests, each session in its own environment: `nox`, `nox -s tests-3.13`, `nox -l` lists all."""

import tarfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
LINT = nox.project.dependency_groups(PROJECT, "lint")
DOCS = nox.project.dependency_groups(PROJECT, "docs")
READERS = nox.project.dependency_groups(PROJECT, "readers")
# what each backend of Keras needs, also to export the layer
KERAS = {
    "jax": ["jax"],
    "numpy": [],
    "tensorflow": [
        "tensorflow-cpu; sys_platform == 'linux'",
        "tensorflow; sys_platform != 'linux'",
        "ai-edge-litert",
        "onnx",
        "onnxruntime",
        "tf-keras",
        "tf2onnx",
    ],
    "torch": ["torch==2.13.0", "onnx", "onnxruntime", "onnxscript"],
}


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, codespell and the repository review."""
    session.install("-e", ".", *LINT)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("codespell")
    session.run("repo-review", "--show", "err", ".")


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Run the test suite; arguments go to pytest, as in `nox -s tests-3.13 -- -m "not slow"`."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python="3.10", venv_backend="uv", default=False)
def minimums(session: nox.Session) -> None:
    """Run the test suite with the lowest supported version of every dependency."""
    session.install(".[test]", "--resolution=lowest-direct")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python="3.13", venv_backend="uv", default=False)
def package(session: nox.Session) -> None:
    """Build the sdist and the wheel into dist/, check them, and run the quick tests of the unpacked sdist."""
    session.install("build", "twine", "check-wheel-contents")
    for old in Path("dist").glob("hep_peaksum-*"):
        old.unlink()
    session.run("python", "-m", "build")
    built = sorted(map(str, Path("dist").glob("hep_peaksum-*")))
    session.run("twine", "check", "--strict", *built)
    session.run("check-wheel-contents", *(each for each in built if each.endswith(".whl")))
    unpacked = Path(session.create_tmp()) / "sdist"
    with tarfile.open(next(each for each in built if each.endswith(".tar.gz"))) as archive:
        archive.extractall(unpacked, filter="data")
    session.chdir(next(unpacked.glob("hep_peaksum-*")))
    session.install(".[test]")
    session.run("python", "-m", "pytest", "-n", "auto", "-m", "not slow", *session.posargs)


@nox.session(python="3.11", default=False)
@nox.parametrize("cpu", ["generic", "haswell"])
def kernels(session: nox.Session, cpu: str) -> None:
    """Test the compiled kernels as they are on other x86 processors: with SSE2 only, and with AVX2."""
    session.install(".[test]")
    # with an empty list of features, or numba keeps those of this machine
    environment = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": session.create_tmp()}
    arguments = session.posargs or ["-m", "not slow"]
    session.run("python", "-m", "pytest", "tests/kernels", "tests/clustering", *arguments, env=environment)


@nox.session(python="3.11", default=False)
@nox.parametrize("backend", list(KERAS))
def keras(session: nox.Session, backend: str) -> None:
    """Test the Keras layer, its exports, and batches for training, on one of its backends."""
    session.install(".[test,keras]", "hls4ml", *KERAS[backend])
    pytest, environment = ["python", "-m", "pytest"], {"KERAS_BACKEND": backend}
    session.run(*pytest, "tests/keras_layer", *session.posargs, env=environment)
    if backend in ("tensorflow", "torch"):  # which batches can be for
        session.run(*pytest, "-k", backend, "tests/training/test_batches.py", env=environment)
    if backend == "tensorflow":  # left out elsewhere: without Keras they cannot even be imported
        doctests = ["-o", "addopts=--import-mode=importlib --doctest-modules", "hep_peaksum/keras"]
        session.run(*pytest, *doctests, env=environment)


@nox.session(python="3.11", default=False)
def notebooks(session: nox.Session) -> None:
    """Execute the notebooks of the examples."""
    session.install(".[test]", "nbclient", "ipykernel")
    session.run("python", "-m", "pytest", "tests/integrations/test_notebooks.py")


@nox.session(python="3.13", default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation site in docs/_build/html, tutorials executed; every warning is an error."""
    session.install(".[test]", *DOCS)
    session.run("sphinx-build", "-W", "-n", "--keep-going", "docs", "docs/_build/html", *session.posargs)


@nox.session(python=["3.11", "3.13"], default=False)  # the newest Bokeh is not for 3.11
def viewer(session: nox.Session) -> None:
    """Test the viewer with Bokeh, in a document, on a server and in a notebook."""
    session.install(".[test,view]", "jupyter_bokeh", "nbclient", "ipykernel")
    session.run("python", "-m", "pytest", "tests/viewer")


@nox.session(python="3.11", default=False)
def executors(session: nox.Session) -> None:
    """Test the executors and remote files with real Dask, Parsl, job queues, S3 and XRootD."""
    session.install(".[test,dask,parsl,s3,xrootd]", "dask-jobqueue", "moto[server]")
    # the other tests of these folders run without them
    needed = "dask or parsl or s3 or xrootd"
    session.run("python", "-m", "pytest", "-k", needed, "tests/job", "tests/reading")


@nox.session(python="3.11", default=False)
def rdataframe(session: nox.Session) -> None:
    """Test what is for RDataFrame with the ROOT of PyPI."""
    session.install(".[test]", "ROOT", "cffi")
    session.run("python", "-m", "pytest", "tests/integrations/test_rdataframe.py")


@nox.session(python="3.11", default=False)
def pocket_coffea(session: nox.Session) -> None:
    """Test the workflow of PocketCoffea, and the array level on what it needs: awkward 1, NumPy 1."""
    # pyarrow 22 and later need NumPy 2; uproot 4 needs pkg_resources of old setuptools
    session.install("pocket-coffea==0.9.13", "pyarrow<22", "setuptools<71", "zstandard")
    session.install(
        "numba>=0.60", "pydantic>=2.9", "xxhash", "hypothesis>=6.100", "pytest>=8", "pytest-xdist", "numpy<2"
    )
    session.install("--no-deps", ".")
    array_level = [
        "tests/integrations/test_collection.py",
        "tests/clustering/test_find.py",
        "tests/geometry/test_dense.py",
        "tests/geometry/test_from_hits.py",
    ]
    # the old versions warn of themselves, which is no error here
    session.run(
        "python", "-m", "pytest", "-W", "default", "tests/integrations/test_pocket_coffea.py", *array_level
    )


@nox.session(python="3.11", default=False)
def fast_hep(session: nox.Session) -> None:
    """Test the transform in a workflow of FAST-HEP."""
    session.install(".[test]", "fasthep-flow==2026.10.1", "fasthep-carpenter==2026.10.1")
    session.run("python", "-m", "pytest", "tests/integrations/test_fast_hep.py")


@nox.session(python="3.11", venv_backend="uv", default=False)
def columnflow(session: nox.Session) -> None:
    """Test the producers of columnflow."""
    # by uv: columnflow says that it needs Python <=3.11, which pip takes to exclude 3.11.1
    session.install(".[test]", "columnflow==0.3.1", "law==0.1.21", "order==2.1.7")
    session.run("python", "-m", "pytest", "tests/integrations/test_columnflow.py")


@nox.session(python="3.11", default=False)
def readers(session: nox.Session) -> None:
    """Test the examples of workflow engines, and what other programs read from the results."""
    session.install(".[test]", *READERS)
    session.run("python", "-m", "pytest", "tests/integrations", "-k", "readers or workflow")


@nox.session(python="3.11", default=False)
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks against other implementations; takes about an hour on a quiet machine."""
    session.install("-e", ".[test,dask]", "torch==2.13.0", "scikit-image")
    session.run("python", "-m", "tests.benchmarks", *(session.posargs or ["all"]))


if __name__ == "__main__":
    nox.main()
