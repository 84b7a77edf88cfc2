"""What CI runs, one session each: `nox`, or `nox -s tests-3.13`."""

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests"]


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Ruff and mypy."""
    session.install(".", "ruff", "mypy", "types-PyYAML")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the test suite."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("backend", ["jax", "tensorflow", "torch"])
def keras(session: nox.Session, backend: str) -> None:
    """Run the tests of the Keras layer on one of its backends."""
    session.install(".[test,keras]", "torch==2.13.0" if backend == "torch" else backend, "hls4ml")
    tests = ("tests/keras_layer/test_layer.py", "tests/keras_layer/test_standard.py")
    session.run("python", "-m", "pytest", *tests, env={"KERAS_BACKEND": backend})


@nox.session(python="3.11")
def executors(session: nox.Session) -> None:
    """Run the tests of Dask, Parsl, job queues, S3 and XRootD, for real."""
    session.install(".[test,dask,parsl,s3,xrootd]", "dask-jobqueue", "moto[server]")
    session.run("python", "-m", "pytest", "tests/job", "tests/reading")


@nox.session(python="3.11")
def benchmarks(session: nox.Session) -> None:
    """Measure the speed beside everybody else's; takes about an hour on a quiet machine."""
    session.install("-e", ".[test,dask]", "torch==2.13.0", "scikit-image")
    session.run("python", "-m", "tests.benchmarks", *(session.posargs or ["all"]))


@nox.session(python="3.10", venv_backend="uv")
def minimums(session: nox.Session) -> None:
    """Run the test suite with the lowest versions that the package says it works with."""
    session.install(".[test]", "--resolution=lowest-direct")
    session.run("python", "-m", "pytest", *session.posargs)
