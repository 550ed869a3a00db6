"""Timing of contestants beside each other: interleaved, warmed up, medians, and a file that says on which machine."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

ROUNDS = 5
RESULTS = Path(__file__).parent / "results"


def interleaved(contestants: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median seconds of each; every round runs all of them, so that a slow minute of the machine meets all alike."""
    for run in contestants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def keep(name: str, facts: dict[str, object], packages: tuple[str, ...]) -> None:
    """Write a result with the machine and the versions it was measured on, and print it."""
    machine = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    result = facts | {"machine": machine | {package: version(package) for package in packages}}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def processor() -> str:
    """Return what Linux calls the processor, or what Python knows of it elsewhere."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
