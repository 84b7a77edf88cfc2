"""Where things are in the repository, from whichever folder a test stands in."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIGS, DOCS, EXAMPLES = ROOT / "configs", ROOT / "docs", ROOT / "examples"
SUPPORT = ROOT / "tests" / "support"
