"""`report`: a page of any results folder, and where a run has left its own."""

import json

from finished_jobs import write_summary


def test_a_run_says_where_its_report_is(cli, good, tmp_path):
    status, out, _ = cli("run", good)
    assert status == 0
    assert out.splitlines()[-1] == f"Report: {tmp_path / 'results' / 'report.html'}"
    assert (tmp_path / "results/report.html").is_file()


def test_report_makes_the_page_anew(cli, good, tmp_path):
    cli("run", good)
    page = tmp_path / "results/report.html"
    page.unlink()
    status, out, err = cli("report", tmp_path / "results")
    assert (status, out.strip(), err) == (0, f"Report: {page}", "")
    assert "21 entries in = 21 written + 0 cut + 0 lost" in page.read_text()


def test_report_of_an_unfinished_job_is_one_line(cli, good, tmp_path):
    cli("run", good)
    (tmp_path / "results/summary.json").unlink()
    status, _, err = cli("report", tmp_path / "results")
    assert (status, err.count("\n")) == (1, 1)
    assert "its job is not finished (no summary.json): run its command again" in err


def test_report_of_another_folder_is_one_line(cli, tmp_path):
    status, _, err = cli("report", tmp_path)
    assert (status, err.count("\n")) == (1, 1)
    assert "not a results directory" in err


def test_a_config_of_another_version_still_has_tables(cli, good, tmp_path):
    cli("run", good)
    path = tmp_path / "results/summary.json"
    summary = json.loads(path.read_text())
    summary["config"]["clusters"]["Jet"]["settings"]["not_known_yet"] = 1
    write_summary(path.parent, summary)
    status, _, err = cli("report", tmp_path / "results")
    assert (status, err) == (0, "")
    page = (tmp_path / "results/report.html").read_text()
    assert "cannot be understood here" in page
    assert "21 entries in" in page
    assert "<img" not in page


def test_a_restart_removes_the_report(cli, good, tmp_path):
    cli("run", good)
    cli("run", good, "--restart", "--set", "output.report=false")
    assert (tmp_path / "results/summary.json").is_file()
    assert not (tmp_path / "results/report.html").exists()
