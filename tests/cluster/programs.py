"""The programs of a real control plane: built once with Go into the user's cache folder (10 minutes on two cores), or found there."""

import fcntl
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.servers.go_programs import go_program, run_go

KUBERNETES = "1.34.4"
KWOK = "v0.8.0"
KEDA = "github.com/kedacore/keda/v2@v2.21.0"
BUILT = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
"""Each program of Kubernetes' own module, or of one that it requires (etcd): one set of versions for all."""


@dataclass(frozen=True)
class Programs:
    """Where the programs lie."""

    folder: Path
    kubectl: Path
    kwok: Path
    stages: tuple[Path, ...]
    """What simulated nodes and pods go through."""
    definitions: tuple[Path, ...]
    """Custom resource definitions that the overlays need."""


def control_plane_programs(cache: Path) -> Programs:
    """Return the programs, built if need be.

    Args:
        cache: the user's cache folder.

    Raises:
        ServerNotStarted: there is no Go, or it cannot build them.
    """
    folder = cache / f"kubernetes-{KUBERNETES}"
    folder.mkdir(parents=True, exist_ok=True)
    kubectl = shutil.which("kubectl")
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, package in BUILT.items():
            if not (folder / name).exists() and (name != "kubectl" or kubectl is None):
                _build(package, folder / name)
    stages = _module(f"sigs.k8s.io/kwok@{KWOK}") / "kustomize" / "stage"
    definitions = _module(KEDA) / "config" / "crd" / "bases"
    return Programs(
        folder=folder,
        kubectl=Path(kubectl or folder / "kubectl"),
        kwok=go_program("kwok", f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}", cache),
        stages=(
            stages / "node" / "fast" / "node-initialize.yaml",
            stages / "node" / "heartbeat-with-lease" / "node-heartbeat-with-lease.yaml",
            *(stages / "pod" / "fast" / f"pod-{event}.yaml" for event in ("ready", "complete", "delete")),
        ),
        definitions=tuple(definitions / f"keda.sh_{kind}.yaml" for kind in ("scaledobjects", "triggerauthentications")),
    )


def _build(package: str, program: Path) -> None:
    """Build a program of Kubernetes from its published modules: its own go.mod names them as folders beside it."""
    print(f"building {program.name} {KUBERNETES}", flush=True)
    module = program.parent / "module"
    module.mkdir(exist_ok=True)
    if not (module / "go.mod").exists():
        original = Path(json.loads(run_go("mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}"))["GoMod"]).read_text()
        published = KUBERNETES.replace("1.", "v0.", 1)
        lines = ["module eartheye/control-plane", next(line for line in original.splitlines() if line.startswith("go "))]
        lines.append(f"require k8s.io/kubernetes v{KUBERNETES}")
        lines += [f"replace {name} => {name} {published}" for name in re.findall(r"^\t(\S+) => \./staging", original, re.MULTILINE)]
        (module / "go.mod").write_text("\n".join(lines) + "\n")
    draft = program.with_name(f".{program.name}")
    run_go("build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", str(draft), package, folder=module)
    draft.replace(program)


def _module(module: str) -> Path:
    return Path(json.loads(run_go("mod", "download", "-json", module))["Dir"])
