"""A control plane on loopback: etcd, API server, controllers and scheduler as they are, nodes and pods simulated by kwok."""

import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.programs import Programs

START_LIMIT_S = 120
STOP_LIMIT_S = 20


class NotStarted(Exception):
    """A part of the control plane ended, or did not answer in time."""


class ControlPlane:
    """A running control plane.

    Args:
        programs: of the control plane.
        kubeconfig: how kubectl reaches it.
        processes: by name.
    """

    def __init__(self, programs: Programs, kubeconfig: Path, processes: dict[str, "subprocess.Popen[bytes]"]) -> None:
        self._programs, self._kubeconfig, self._processes = programs, kubeconfig, processes

    def kubectl(self, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run kubectl to its end."""
        command = [str(self._programs.kubectl), f"--kubeconfig={self._kubeconfig}", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    def must(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl, which must succeed; returns what it prints."""
        done = self.kubectl(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def peak_memory_mb(self) -> dict[str, float]:
        """Return the most memory that each process has held. Source: VmHWM of proc_pid_status(5)."""
        return {name: _peak_kb(process.pid) / 1024 for name, process in self._processes.items()}


@contextmanager
def control_plane(programs: Programs, folder: Path) -> Iterator[ControlPlane]:
    """Run a control plane for the length of a block; its own processes are ended, and no other.

    Args:
        programs: what `control_plane_programs` returned.
        folder: takes its data, keys and logs.

    Raises:
        NotStarted: a part ended or did not answer; the message has the end of its log.
    """
    etcd, peer, api = _free_ports(3)
    token = secrets.token_hex(16)
    _write_keys(folder, token)
    kubeconfig = _write_kubeconfig(folder, f"https://127.0.0.1:{api}", token)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    plane = ControlPlane(programs, kubeconfig, processes)

    with ExitStack() as running:

        def start(name: str, program: Path, *arguments: str) -> None:
            processes[name] = running.enter_context(_process(name, [str(program), *arguments], folder))

        start("etcd", programs.folder / "etcd", *_etcd(folder, etcd, peer))
        start("kube-apiserver", programs.folder / "kube-apiserver", *_api_server(folder, etcd, api))
        _wait_for_api(plane, processes, folder)
        reach = f"--kubeconfig={kubeconfig}"
        key = f"--service-account-private-key-file={folder / 'service-account.key'}"
        start("kube-controller-manager", programs.folder / "kube-controller-manager", reach, key, "--leader-elect=false", "--secure-port=0")
        start("kube-scheduler", programs.folder / "kube-scheduler", reach, "--leader-elect=false", "--secure-port=0")
        stages = [f"--config={stage}" for stage in programs.stages]
        start("kwok", programs.kwok, reach, "--manage-all-nodes", "--node-lease-duration-seconds=40", *stages)
        yield plane
        for name, process in processes.items():
            assert process.poll() is None, f"{name} ended in mid-run: {_last_words(folder, name)}"


def _etcd(folder: Path, port: int, peer: int) -> list[str]:
    client, other = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={other}",
        f"--initial-advertise-peer-urls={other}",
        f"--initial-cluster=default={other}",
        "--unsafe-no-fsync",  # nothing of it is kept
    ]


def _api_server(folder: Path, etcd: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={folder / 'service-account.key'}",
        f"--service-account-key-file={folder / 'service-account.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--enable-priority-and-fairness=false",
    ]


def _write_keys(folder: Path, token: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    (folder / "service-account.key").write_bytes(pem)
    (folder / "tokens.csv").write_text(f"{token},operator,operator,system:masters\n")


def _write_kubeconfig(folder: Path, server: str, token: str) -> Path:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "trial", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "trial", "context": {"cluster": "trial", "user": "operator"}}],
        "current-context": "trial",
    }
    path.write_text(json.dumps(config))
    return path


@contextmanager
def _process(name: str, command: list[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_api(plane: ControlPlane, processes: dict[str, "subprocess.Popen[bytes]"], folder: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while plane.kubectl("get", "--raw", "/readyz").returncode:
        for name, process in processes.items():
            if process.poll() is not None:
                raise NotStarted(f"{name} ended: {_last_words(folder, name)}")
        if time.monotonic() > deadline:
            raise NotStarted(f"the API server did not answer within {START_LIMIT_S} s: {_last_words(folder, 'kube-apiserver')}")
        time.sleep(0.5)


def _last_words(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text(errors="replace").strip()[-1500:]


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
