"""The embedded Triton's program: NVIDIA's server out of the pytriton wheel, in a folder of its own, installed once."""

import fcntl
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from eartheye.errors import TritonCannotRun
from eartheye.telemetry import get_logger

log = get_logger(__name__)

PYTRITON = "0.7.0"
"""Carries Triton 2.51 with the Python backend."""
PYTHONS = ("3.11", "3.12")
"""Python versions that the wheel has a backend stub for, and NumPy 1 a wheel: with NumPy 2 this backend gives empty arrays."""
INSTALL_LIMIT_S = 900
PROBE_LIMIT_S = 20


@dataclass(frozen=True)
class TritonProgram:
    """An installed server: a virtual environment of its own, with the backends beside."""

    root: Path

    @property
    def packages(self) -> Path:
        """Python packages of the server, and of the models in it."""
        return self.root / "lib" / f"python{this_python()}" / "site-packages"

    @property
    def server(self) -> Path:
        """The program."""
        return self.packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"

    @property
    def backends(self) -> Path:
        """Backends, with the stub of this Python version in place."""
        return self.root / "backends"

    @property
    def libraries(self) -> str:
        """Value of `LD_LIBRARY_PATH`: the wheel's own libraries, and this Python's for the stub."""
        return f"{self.packages / 'nvidia_pytriton.libs'}:{python_libraries()}"


def triton_program(cache: Path) -> TritonProgram:
    """Return the server for this Python, installed into the cache at the first call (half a minute, 400 MB).

    Args:
        cache: the user's cache folder.

    Raises:
        TritonCannotRun: this machine or this Python cannot run it, or pip could not install it; the message says why.
    """
    check_machine()
    runtime = version("onnxruntime")
    program = TritonProgram(cache / f"triton-{PYTRITON}-py{this_python()}-onnxruntime{runtime}")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".triton.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes may ask at once: one installs, the others wait
        if not program.root.exists():
            _install(program, runtime)
    _probe_stub(program)
    return program


def check_machine() -> None:
    """Refuse, before anything is downloaded, a machine that the server cannot run on.

    Raises:
        TritonCannotRun: another system than Linux on x86-64, a Python without stub, or no shared library of this Python.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise TritonCannotRun(f"the embedded Triton runs on Linux on x86-64, this is {platform.system()} on {platform.machine()}")
    python = this_python()
    if python not in PYTHONS:
        raise TritonCannotRun(f"the embedded Triton runs models on Python {' or '.join(PYTHONS)}, this is {python}")
    library = f"libpython{python}.so.1.0"
    # Looked for in another process: loading it here would bring a second interpreter into this one.
    search = f"import ctypes; ctypes.CDLL({library!r})"
    environment = {"LD_LIBRARY_PATH": python_libraries()}
    found = subprocess.run([sys.executable, "-c", search], env=environment, capture_output=True, timeout=PROBE_LIMIT_S, check=False)
    if found.returncode:
        raise TritonCannotRun(
            f"the embedded Triton needs {library}, which is not on this system (Debian: apt-get install libpython{python})"
        )


def this_python() -> str:
    """Return the running Python's version, as `3.11`: the backend's stub and the packages must be made for it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def python_libraries() -> str:
    """Return where this Python keeps its shared library, if it has one: as it was built, and as it lies now."""
    return f"{sysconfig.get_config_var('LIBDIR')}:{Path(sys.base_prefix) / 'lib'}"


def _install(program: TritonProgram, runtime: str) -> None:
    """Install into a folder beside, and give it its name when it is whole."""
    log.info("installing triton", folder=str(program.root), note="half a minute, once")
    part = TritonProgram(program.root.with_name(f"{program.root.name}.part"))
    shutil.rmtree(part.root, ignore_errors=True)  # what a killed installation left
    try:
        # The stub ignores PYTHONPATH: it finds its packages by the environment whose Python comes first on PATH.
        venv.create(part.root, symlinks=True)
        # Alone, for the wheel's own dependencies serve its Python interface, which is not used; then what models need.
        _pip(part.packages, "--no-deps", f"nvidia-pytriton=={PYTRITON}")
        _pip(part.packages, "numpy<2", f"onnxruntime=={runtime}")
        wheel = part.packages / "pytriton" / "tritonserver"
        shutil.copytree(wheel / "backends", part.backends)
        shutil.copytree(wheel / "python_backend_stubs" / this_python(), part.backends / "python", dirs_exist_ok=True)
        part.root.rename(program.root)
    finally:
        shutil.rmtree(part.root, ignore_errors=True)


def _pip(target: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--only-binary", ":all:", "--target", str(target)]
    try:
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise TritonCannotRun(f"pip did not install {arguments[-1]} within {INSTALL_LIMIT_S} s") from None
    if done.returncode:
        last_words = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no word of why"]
        raise TritonCannotRun(f"pip could not install {arguments[-1]}: {last_words[0][-300:]}")


def _probe_stub(program: TritonProgram) -> None:
    """Ask the loader for the stub's libraries: without one of them the server would start, and hang at its first model."""
    stub = program.backends / "python" / "triton_python_backend_stub"
    environment = {"LD_LIBRARY_PATH": program.libraries, "PATH": "/usr/bin:/bin"}
    try:
        listed = subprocess.run(["ldd", str(stub)], env=environment, capture_output=True, text=True, timeout=PROBE_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TritonCannotRun(f"the libraries of Triton's Python backend cannot be listed ({error})") from error
    missing = [line.split("=>")[0].strip() for line in listed.stdout.splitlines() if "not found" in line]
    if missing or listed.returncode:
        raise TritonCannotRun(f"Triton's Python backend misses {', '.join(missing) or listed.stderr.strip()[-300:]}")
