"""A Triton server of our own: for the length of a block, gone when the process that started it is gone; or one of the stack's servers."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from eartheye.errors import TritonCannotRun, TritonEnded
from eartheye.telemetry import get_logger
from services.stack.place import Place, free_port, past_proxies
from services.stack.server import Launch, Server
from services.stack.triton_install import TritonProgram, triton_program

log = get_logger(__name__)

NAME = "triton"
START_LIMIT_S = 120.0
"""It loads what was deployed before it is ready."""
STOP_LIMIT_S = 20.0
LOOK_EVERY_S = 0.5
LAST_LINES = 3
SHARED_MEMORY_BYTES = 1 << 20
"""First size of the shared memory between server and model; it grows with what is sent. Small, for a container has 64 MB of it."""
OPTIONS = ("--model-control-mode=explicit", "--allow-metrics=false", "--exit-timeout-secs=10")
RESTART_OPTIONS = ("--exit-on-error=false", "--strict-readiness=false")
"""With them one model that cannot be loaded does not keep the others away. docker/compose.yaml has both."""
PAST_PROXIES = [("grpc.enable_http_proxy", 0)]
"""Options of a client that asks the server itself, whatever proxy the environment names."""
NOT_INHERITED = ("PYTHON", "VIRTUAL_ENV")
"""Variables that would lead the server to another Python's packages."""
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class TritonServer:
    """A running Triton."""

    url: str
    """Host and port of its gRPC service, as `EARTHEYE_TRITON_URL` takes it."""
    repository: Path
    """Its model repository, as `EARTHEYE_TRITON_REPOSITORY` takes it; a model is loaded from it when a client asks for it."""
    process: "subprocess.Popen[bytes]"
    log_file: Path
    """Takes what the server says."""

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self.process.pid

    def settings(self) -> dict[str, str]:
        """Return the environment variables under which models run on this server."""
        return triton_settings(self.url, self.repository) | past_proxies()

    def watch(self, stop: threading.Event) -> None:
        """Wait until `stop` is set, for who would ask a server that is gone again and again.

        Raises:
            TritonEnded: the server has ended before.
        """
        while not stop.wait(LOOK_EVERY_S):
            if (code := self.process.poll()) is not None:
                raise TritonEnded(
                    f"Triton ended with code {code} in the middle of its work: start the demonstration again, it goes on where it was; "
                    f"see {self.log_file}: {_last_words(self.log_file)}"
                )


@contextmanager
def embedded_triton(repository: Path, log_file: Path, cache: Path) -> Iterator[TritonServer]:
    """Run a Triton server for the length of a block; install it first, where that has not been done.

    It ends with the thread that entered the block, even if that is killed.

    Args:
        repository: folder of its models, made if need be. What was deployed there is loaded at the start.
        log_file: takes what the server says, and its models.
        cache: the user's cache folder, where the server is installed.

    Raises:
        TritonCannotRun: this machine cannot run it, it cannot be installed, it ended, or it was not ready in time.
    """
    program = triton_program(cache)
    repository.mkdir(parents=True, exist_ok=True)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    url = f"127.0.0.1:{free_port()}"
    with log_file.open("ab") as output:
        process = subprocess.Popen(
            [*_command(program, repository, url), *_served_again(repository)],
            env=_environment(program),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in a terminal is for us: we end the server in our order
            preexec_fn=_die_with(os.getpid()),
        )
    try:
        _wait_until_ready(process, url, log_file)
        log.info("triton started", url=url, pid=process.pid, log=str(log_file))
        yield TritonServer(url, repository, process, log_file)
    finally:
        _stop(process)


def triton_server() -> Server:
    """Return the description of the stack's server. Deployed models lie in its repository, and are loaded again when it starts."""

    def prepare(place: Place) -> Launch:
        program, repository = triton_program(place.cache), place.folder(NAME) / "repository"
        repository.mkdir(exist_ok=True)
        command = [*_command(program, repository, place.address(NAME)), *_served_again(repository)]
        return Launch(command, _own_libraries(program), without=NOT_INHERITED)

    def ready(place: Place) -> bool:
        with closing(InferenceServerClient(place.address(NAME), channel_args=PAST_PROXIES)) as client:
            return _is_ready(client)

    def settings(place: Place) -> dict[str, str]:
        return triton_settings(place.address(NAME), place.folder(NAME) / "repository")

    return Server(name=NAME, ports={NAME: 8001}, prepare=prepare, ready=ready, settings=settings, start_limit_s=120)


def triton_settings(url: str, repository: Path) -> dict[str, str]:
    """Return the environment variables under which models run on a server of the wheel."""
    return {
        "EARTHEYE_PREDICTOR": "triton",
        "EARTHEYE_TRITON_URL": url,
        "EARTHEYE_TRITON_REPOSITORY": str(repository),
        "EARTHEYE_TRITON_BACKEND": "python",  # the only one that the wheel carries
    }


def _command(program: TritonProgram, repository: Path, url: str) -> list[str]:
    host, port = url.split(":")
    return [
        str(program.server),
        f"--model-repository={repository}",
        f"--backend-directory={program.backends}",
        f"--backend-config=python,shm-default-byte-size={SHARED_MEMORY_BYTES}",
        *OPTIONS,
        f"--grpc-address={host}",
        f"--grpc-port={port}",
        "--allow-http=false",
    ]


def _served_again(repository: Path) -> list[str]:
    """Return the options by which a server starts with what was deployed."""
    whole = [entry.name for entry in sorted(repository.iterdir()) if (entry / "config.pbtxt").exists() and any(entry.glob("*/model.onnx"))]
    return [*(f"--load-model={name}" for name in whole), *RESTART_OPTIONS]


def _environment(program: TritonProgram) -> dict[str, str]:
    """Return the embedded server's environment."""
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)} | _own_libraries(program)


def _own_libraries(program: TritonProgram) -> dict[str, str]:
    """Return the variables that lead the server to its own Python and libraries."""
    return {"PATH": f"{program.root / 'bin'}:{os.environ.get('PATH', os.defpath)}", "LD_LIBRARY_PATH": program.libraries}


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a child does first, so that it is ended when its parent is."""
    libc = ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return in_child


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log_file: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    with closing(InferenceServerClient(url, channel_args=PAST_PROXIES)) as client:
        while not _is_ready(client):
            if process.poll() is not None:
                raise TritonCannotRun(f"Triton ended with code {process.returncode}; see {log_file}: {_last_words(log_file)}")
            if time.monotonic() > deadline:
                raise TritonCannotRun(f"Triton was not ready within {START_LIMIT_S:g} s; see {log_file}: {_last_words(log_file)}")
            time.sleep(0.05)


def _is_ready(client: InferenceServerClient) -> bool:
    try:
        return bool(client.is_server_ready(client_timeout=1.0))
    except InferenceServerException:
        return False


def _last_words(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").splitlines()
    return "\n".join([line for line in lines if line.strip() and line[0] not in "+|"][-LAST_LINES:])  # beside the tables that it draws


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        log.warning("triton does not end, killing it", pid=process.pid)
        process.kill()
        process.wait()
