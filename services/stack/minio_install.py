"""MinIO's program: found, or built once with Go into the user's cache folder."""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

from eartheye.errors import ServerNotStarted
from eartheye.telemetry import get_logger

# The last commit of the archived project; its release tags are no module versions, so Go refuses them.
MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
OLDEST_GO = (1, 24)
BUILD_LIMIT_S = 1200

log = get_logger(__name__)


def minio_program(cache: Path) -> Path:
    """Return the MinIO program: from the cache, from PATH, or built into the cache with Go (some minutes, once).

    Args:
        cache: the user's cache folder; the program is `bin/minio` in it.

    Raises:
        ServerNotStarted: it is nowhere, and Go is missing, too old, or fails to build it.
    """
    program = cache / "bin" / "minio"
    if program.exists():
        return program
    if found := shutil.which("minio"):
        return Path(found)
    go = _recent_go()
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / ".minio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may ask at once: one builds, the others wait
        if not program.exists():
            _build(go, program)
    return program


def _recent_go() -> str:
    """Return the Go program that can build MinIO."""
    wanted = ".".join(map(str, OLDEST_GO))
    way_out = f"put a `minio` program on PATH, or install Go >= {wanted} to have it built"
    if (go := shutil.which("go")) is None:
        raise ServerNotStarted(f"there is no MinIO program and no Go: {way_out}")
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout.strip()
    version = re.match(r"go(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        raise ServerNotStarted(f"there is no MinIO program and Go is {said or 'broken'}: {way_out}")
    return go


def _build(go: str, program: Path) -> None:
    """Build MinIO into a folder of its own, then move the program to where it is looked for."""
    log.info("minio_build", module=MODULE, note="takes some minutes, once")
    workplace = program.parent / ".minio-build"
    environment = {**os.environ, "GOBIN": str(workplace), "CGO_ENABLED": "0"}
    try:
        done = subprocess.run([go, "install", MODULE], env=environment, capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ServerNotStarted(f"building MinIO took more than {BUILD_LIMIT_S} s: put a `minio` program on PATH") from None
    if done.returncode:
        raise ServerNotStarted(f"building MinIO failed, put a `minio` program on PATH: {done.stderr.strip()[-500:]}")
    (workplace / "minio").replace(program)
    workplace.rmdir()
