"""Programs that tests need and Go can build: from PATH, or built once into the user's cache folder."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from eartheye.errors import ServerNotStarted

BUILD_LIMIT_S = 1800


def go_program(name: str, module: str, cache: Path) -> Path:
    """Return a program of one module.

    Args:
        name: of the program.
        module: with its version, as `go install` takes it.
        cache: the user's cache folder; the program is kept in `bin` there, under its name and version.

    Raises:
        ServerNotStarted: there is no Go, or it cannot build the program.
    """
    program = cache / "bin" / f"{name}-{module.rpartition('@')[2]}"
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may ask at once: one builds, the others wait
        if not program.exists():
            workplace = program.with_name(f".{name}-build")
            run_go("install", "-ldflags=-s -w", module, environment={"GOBIN": str(workplace)})
            (workplace / name).replace(program)
            workplace.rmdir()
    return program


def run_go(*arguments: str, environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    """Run Go, without C; returns what it prints.

    Raises:
        ServerNotStarted: there is no Go, or it fails.
    """
    if (go := shutil.which("go")) is None:
        raise ServerNotStarted(f"there is no Go to run `go {' '.join(arguments)}`")
    surroundings = {**os.environ, "CGO_ENABLED": "0", **(environment or {})}
    command = [go, *arguments]
    done = subprocess.run(command, env=surroundings, cwd=folder, capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False)
    if done.returncode:
        raise ServerNotStarted(f"`go {' '.join(arguments)}` failed: {done.stderr.strip()[-500:]}")
    return done.stdout
