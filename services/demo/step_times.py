"""How long the steps of a run took, over all its starts: a file in the run's folder."""

import json
from pathlib import Path

NAME = "step_times.json"


def read_times(run: Path) -> dict[str, float]:
    """Return the wall time of each step that has ended, s: summed where it ran several times, in one start or in several."""
    try:
        kept = json.loads((run / NAME).read_text())
    except (FileNotFoundError, ValueError):  # no step has ended yet, or the machine's power did while the file was written
        return {}
    return kept if isinstance(kept, dict) else {}


def add_time(run: Path, step: str, seconds: float) -> None:
    """Add the wall time of a step that has ended."""
    times = read_times(run)
    temporary = run / f"{NAME}.part"
    temporary.write_text(json.dumps({**times, step: times.get(step, 0.0) + seconds}))
    temporary.replace(run / NAME)
