"""`show` of several collections: a picture for each."""

from pathlib import Path

from cli_output import PNG


def test_two_collections_have_a_picture_each(cli, write_events, job, write_config):
    content = job(write_events("a.root", 3))
    content["clusters"]["Single"] = {"grid": "calo", "sum_window": [1, 1], "seed_threshold": 3}
    status, out, err = cli("show", write_config(content), "-o", "mine.png")
    assert (status, err) == (0, "")
    assert {path.name for path in Path().glob("*.png")} == {"mine-Jet-calo.png", "mine-Single-calo.png"}
    assert all(path.read_bytes().startswith(PNG) for path in Path().glob("*.png"))
    assert "picture saved to mine-Single-calo.png" in out
