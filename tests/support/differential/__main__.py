"""Record what the tools ask for and bring: `PYTHONPATH=tests python -m support.differential`."""

from support.differential.constructs import CONSTRUCTS
from support.differential.tools import TOOLS, outcomes, record

record({tool: outcomes(tool, CONSTRUCTS) for tool in TOOLS})
