"""Pictures of ours are known by what they say has made them; those of others, and edited ones, are not ours."""

import pytest
from matplotlib.figure import Figure

from hep_peaksum.config.formats import PICTURES
from hep_peaksum.plotting import canvas
from hep_peaksum.results.folder import is_our_picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return a picture of ours in every format, by its suffix."""
    folder, figure = tmp_path_factory.mktemp("plots"), Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "hep_peaksum")
    for suffix in PICTURES:
        canvas.save(figure, folder / f"ours.{suffix}")
    return {suffix: folder / f"ours.{suffix}" for suffix in PICTURES}


@pytest.mark.parametrize("suffix", PICTURES)
def test_what_is_saved_is_ours_in_every_format(pictures, suffix):
    assert is_our_picture(pictures[suffix])


@pytest.mark.parametrize("suffix", PICTURES)
def test_the_same_picture_of_another_program_is_not(tmp_path, suffix):
    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "hep_peaksum")
    figure.savefig(tmp_path / f"theirs.{suffix}")
    assert not is_our_picture(tmp_path / f"theirs.{suffix}")


def test_a_picture_of_ours_that_was_edited_is_not(pictures, tmp_path):
    edited = tmp_path / "edited.svg"  # as Inkscape writes it: the creator stays, the head does not
    edited.write_bytes(b'<?xml version="1.0"?>\n' + pictures["svg"].read_bytes().partition(b"\n")[2])
    assert not is_our_picture(edited)


def test_a_document_that_shows_a_picture_of_ours_is_not(pictures, tmp_path):
    """Of a picture in it pdfTeX keeps the creator; its own is in the object that its trailer names."""
    paper = tmp_path / "paper.pdf"
    own = b"\n999 0 obj\n<< /Creator (TeX) >>\nendobj\ntrailer\n<< /Root 1 0 R /Info 999 0 R >>\n%%EOF\n"
    paper.write_bytes(pictures["pdf"].read_bytes() + own)
    assert not is_our_picture(paper)


@pytest.mark.parametrize("suffix", [*PICTURES, "txt"])
@pytest.mark.parametrize("content", [b"", b"hep_peaksum", b"%PDF /Creator (hep_peaksum)"])
def test_other_files_are_not_whatever_they_are_called(tmp_path, suffix, content):
    path = tmp_path / f"file.{suffix}"
    path.write_bytes(content)
    assert not is_our_picture(path)


def test_neither_a_link_nor_a_folder_is_a_picture(pictures, tmp_path):
    (tmp_path / "link.png").symlink_to(pictures["png"])
    (tmp_path / "folder.png").mkdir()
    assert not any(is_our_picture(path) for path in tmp_path.iterdir())
