"""Where results may be written: never over an input file, whatever way its path is written."""

import pytest

from hep_peaksum.inputs.paths import InputFile
from hep_peaksum.results.folder import check_places


@pytest.mark.parametrize("path", ["results/run.root", "./results/../results/run.root", "link/run.root"])
def test_an_input_in_the_results_folder_is_seen_however_it_is_named(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "run.root").touch()
    (tmp_path / "link").symlink_to("results")
    with pytest.raises(ValueError, match=rf"^holds an input file, {path}: choose another directory$"):
        check_places(tmp_path / "results", {"toy": [InputFile(path, "Events")]})


@pytest.mark.parametrize("path", ["results-of-2025/run.root", "https://site/results/run.root"])
def test_an_input_beside_the_results_folder_is_not_in_it(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    check_places(tmp_path / "results", {"toy": [InputFile(path, "Events")]})
