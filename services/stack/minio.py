"""A MinIO server of our own: found or built once, started on loopback, stopped by its process id."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import structlog
import urllib3
from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from eartheye.errors import ServerNotStarted

# The last commit of the archived project; its release tags are no module versions, so Go refuses them.
MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
OLDEST_GO = (1, 24)
BUILD_LIMIT_S = 1200
STOP_LIMIT_S = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class MinioServer:
    """A running MinIO and how to reach it."""

    endpoint: str
    """Host and port, as `EARTHEYE_S3_ENDPOINT` takes it."""
    access_key: str
    secret_key: str
    process: "subprocess.Popen[bytes]"

    def settings(self) -> dict[str, str]:
        """Return the environment variables under which `s3://` folders lie in this server."""
        return {
            "EARTHEYE_S3_ENDPOINT": self.endpoint,
            "EARTHEYE_S3_ACCESS_KEY": self.access_key,
            "EARTHEYE_S3_SECRET_KEY": self.secret_key,
            "EARTHEYE_S3_SECURE": "false",
        }

    def stop(self) -> None:
        """End the server; what it has acknowledged stays in its data folder."""
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


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


def start_minio(
    data: Path, *, program: Path, access_key: str, secret_key: str, port: int | None = None, timeout_s: float = 60.0
) -> MinioServer:
    """Start MinIO on loopback, without its web console, and wait until it takes requests.

    Args:
        data: folder of its buckets, made if need be; the server's log lies beside it as `<data>.log`.
        program: what `minio_program` returned.
        access_key: its administrator, at least 3 characters.
        secret_key: the administrator's password, at least 8 characters.
        port: where to listen; a free one by default.
        timeout_s: how long it may take to come up.

    Raises:
        ServerNotStarted: it ended, or did not answer in time; the message has the end of its log.
    """
    data.mkdir(parents=True, exist_ok=True)
    endpoint = f"127.0.0.1:{port or _free_port()}"
    certificates = data.parent / f"{data.name}.certs"  # else it would look into the home of whoever starts it
    certificates.mkdir(exist_ok=True)
    log_file = data.parent / f"{data.name}.log"
    environment = {**os.environ, "MINIO_ROOT_USER": access_key, "MINIO_ROOT_PASSWORD": secret_key}
    environment |= {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
    command = [str(program), "server", "--quiet", "--address", endpoint, "--certs-dir", str(certificates), str(data)]
    with log_file.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    server = MinioServer(endpoint, access_key, secret_key, process)
    end = time.monotonic() + timeout_s
    while not _is_ready(server):
        if process.poll() is not None or time.monotonic() > end:
            reason = f"ended with code {process.poll()}" if process.poll() is not None else f"did not answer within {timeout_s:g} s"
            server.stop()
            last_words = log_file.read_text(errors="replace").strip()[-500:]
            raise ServerNotStarted(f"MinIO on {endpoint} {reason}; see {log_file}: {last_words}")
        time.sleep(0.05)
    log.info("minio_started", endpoint=endpoint, data=str(data), pid=process.pid)
    return server


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(server: MinioServer) -> bool:
    """Say whether the server takes signed requests; its own health page says so some time before."""
    pool = urllib3.PoolManager(retries=False, timeout=2)
    client = Minio(server.endpoint, server.access_key, server.secret_key, secure=False, http_client=pool)
    try:
        client.list_buckets()
    except (MinioException, HTTPError):
        return False
    return True
