"""The gallery of presets: a page for each, with its windows, its source, an event, and the YAML to copy.

The pages are made of the presets whenever the site is built, in the folder `presets`, which git ignores.
Pictures that are there are kept: remove the folder to have them drawn anew.
"""

import textwrap
from importlib import resources
from pathlib import Path

import numpy as np

import hep_peaksum as ps
from hep_peaksum.diagnostics.wording import REPRODUCES, drawn_lines, drawn_windows, legend
from hep_peaksum.library.presets import read_preset
from hep_peaksum.plotting import canvas, rules

N_SHOWERS = 7
PLANE = ps.Grid(
    rows=ps.Axis(name="eta", bins=24, start=-3, stop=3),
    cols=ps.Axis(name="phi", bins=24, start="-pi", stop="pi", periodic=True),
    unit="1 GeV",
)
PAGE = """\
# {name}

**{title}**

![The windows of {name}, cell by cell]({name}-windows.png)

- **Reproduces** {reproduces}.
- **Source**: {source}
- **Differs**: {differs}
- **Geometry**: {geometry}

## In a config

```yaml
clusters:
  Cluster: {{grid: GRID, preset: {name}}}     # a key beside it overrides that of the preset
```

What the preset stands for:

```yaml
{settings}
```

## In Python

```python
settings, grid = ps.preset("{name}")  # {grid}
clusters = ps.find_clusters(cells, settings, grid)
```

## An event

![An event of {n} toy showers and its clusters]({name}-event.png)

{n} toy showers of 20 to 100 {unit} in {shape} cells. Every seed is marked, and every sum window drawn.

## The windows as text

```text
{windows}
```

{legend}
"""


def _showers(grid, random):
    """Return the cells of an event of toy showers, each as wide as a cell or so."""
    n_rows, n_cols = grid.shape
    row, col = np.indices(grid.shape)
    cells = np.zeros(grid.shape)
    for _ in range(N_SHOWERS):
        at_row, at_col = random.uniform(0, n_rows), random.uniform(0, n_cols)
        d_col = np.abs(col + 0.5 - at_col)
        d_col = np.minimum(d_col, n_cols - d_col) if grid.cols.periodic else d_col
        cells += random.uniform(20, 100) * np.exp(-((row + 0.5 - at_row) ** 2 + d_col**2))
    return np.where(cells < 0.1, 0, cells).astype(np.float32)


def _write_page(folder, name):
    preset, (settings, own) = read_preset(name), ps.preset(name)
    grid = own or PLANE
    if not (folder / f"{name}-event.png").exists():  # a build for the first time takes half a minute for them
        canvas.save(rules.draw_windows(settings, title=preset.title), folder / f"{name}-windows.png")
        cells = _showers(grid, np.random.default_rng(3))
        canvas.save(ps.draw_event(cells, settings, grid, title=name), folder / f"{name}-event.png")
    windows = drawn_windows(settings).items()
    text = PAGE.format(
        name=name,
        title=preset.title,
        reproduces=f"{preset.reproduces}: {REPRODUCES[preset.reproduces]}",
        source=preset.source.strip(),
        differs=(preset.differs or "in nothing that was found").strip(),
        geometry=f"`{preset.geometry}`" if preset.geometry else "any grid",
        grid=f"the grid is {preset.geometry}" if own else "it has no grid of its own: give yours",
        settings=_settings_text(name),
        n=N_SHOWERS,
        unit="GeV" if grid.unit is not None else "counts",
        shape=" x ".join(map(str, grid.shape)),
        windows="\n\n".join("\n".join([title, *drawn_lines(marks)]) for title, marks in windows),
        legend="\n".join(f"- `{mark}` {meaning}" for mark, meaning in legend(settings)),
    )
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _settings_text(name):
    """Return the settings as they stand in the file of the preset, with its comments and drawn windows."""
    text = (resources.files("hep_peaksum.library") / "algorithms" / f"{name}.yaml").read_text(encoding="utf-8")
    return textwrap.dedent(text.partition("\nsettings:")[2].removeprefix("\n")).strip()


def _card(name):
    title = read_preset(name).title
    return textwrap.dedent(f"""\
        :::{{grid-item-card}} {name}
        :link: presets/{name}
        :link-type: doc
        :img-bottom: presets/{name}-event.png
        :img-alt: An event with the clusters of {name}
        {title}
        :::
        """)


def _write_pages(app):
    folder = Path(app.srcdir) / "presets"
    folder.mkdir(exist_ok=True)
    for name in ps.presets():
        _write_page(folder, name)
    cards = "\n".join(map(_card, ps.presets()))
    (folder / "cards.txt").write_text(f"::::{{grid}} 1 2 3 3\n:gutter: 2\n\n{cards}::::\n", encoding="utf-8")


def setup(app):
    app.connect("builder-inited", _write_pages)
    return {"parallel_read_safe": True}
