"""The demonstration: a world or a data folder in, a finished run with its report out."""

import hashlib
import json
import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rich.console import Console

from eartheye import __version__, settings
from eartheye.contracts import Map, read_catalogue
from eartheye.errors import InvalidCatalogue, InvalidConfig
from eartheye.store import Folder
from eartheye.store.room import room
from eartheye.tracking import CHAMPION, resolve
from pipelines.config import ChainConfig, MapConfig, read_chain
from pipelines.fit import check_fit
from pipelines.requests import map_folder
from services.demo.report.build import write_report
from services.demo.servers import Servers, embedded_servers, environment
from services.demo.stack_servers import find_servers, run_root, stack_servers, started_here
from services.demo.step_times import read_times
from services.demo.steps import run_pipeline
from services.only_one import only_one
from services.world.config import DEMO_FROM_KM
from services.world.create import World, create_world

FINISHED = "demo.json"
KIND = "demo/2"
HERE = resources.files("services.demo")


@dataclass(frozen=True)
class Inputs:
    """What a run works on."""

    data: Path
    catalogue: Path
    chain: Path


def run_demo(
    run: Path, *, data: Path | None, catalogue: Path | None, chain: Path | None, size_km: float, seed: int, stack: Path | None = None
) -> None:
    """Run the chain into a folder, and write its report. A finished run is left as it is.

    Args:
        run: folder of the run.
        data: data folder; None makes a synthetic world.
        catalogue: of a data folder that holds none.
        chain: configuration of the steps; None takes the one that goes with the data.
        size_km: side of the synthetic world.
        seed: seed of the synthetic world.
        stack: folder of the local stack whose servers are used; None for embedded ones.

    Raises:
        OutputBusy: another demonstration is at work in the folder.
        FolderRefused: the folder cannot be made or written to.
        InvalidCatalogue: the data folder has no catalogue.
        InvalidConfig: the chain is malformed, or has a map of a scene or a label set that the catalogue lacks; the world is too small.
        ServerNotStarted: a server of the stack does not answer.
        StepFailed: a step of the pipeline ended with an error that the user can act on.
        RuntimeError: a step of the pipeline ended by a fault.
        StoreFull: there is no room for the run.
        UserError: why a scene that is to be mapped cannot be opened, or a service ended before its time.
    """
    console = Console(highlight=False)
    if chain is not None:
        read_chain(chain)  # a mistake in it is told before a world is drawn
    if catalogue is not None:
        read_catalogue(catalogue)
    if chain is None:
        check_size(data, size_km)
    if stack is not None:
        find_servers(stack)
    disk = f"for the run in {run}", "free space, or choose another --run"
    with only_one(run, "another demonstration"):
        if data is None:
            with room(*disk):
                create_world(run / "world", seed=seed, size_km=size_km)
        inputs = choose_inputs(run, data, catalogue, chain)
        config = read_chain(inputs.chain)
        check_maps(config, inputs)
        check_fit(config, read_catalogue(inputs.catalogue), str(inputs.data))
        root = run_root(run) if stack else str(run.resolve())
        made_from = fingerprint(run, inputs, config, root if stack else "")
        with environment(started_here(stack) if stack else {}):
            done = finished(run, root, made_from, config)
        if done:
            console.print(f"Nothing to do: the run is finished. Report: {run / 'report.html'}")
            return
        (run / FINISHED).unlink(missing_ok=True)
        with servers_of(run, stack, inputs, config, console) as servers:
            run_pipeline(config, inputs.data, inputs.catalogue, root, run, console, servers.ended)
            with room(*disk):
                write_report(run, Folder(root), inputs.data, read_catalogue(inputs.catalogue), config, servers.words, read_times(run))
            versions = {wanted.title: resolve(wanted.model, CHAMPION).version for wanted in config.maps}
            where = settings.load().mlflow_tracking_uri
        temporary = run / f"{FINISHED}.part"
        with room(*disk):
            temporary.write_text(json.dumps({"kind": KIND, "made_from": made_from, "maps": versions}))
            temporary.replace(run / FINISHED)
    tell(console, run, root, config, where)


def servers_of(run: Path, stack: Path | None, inputs: Inputs, config: ChainConfig, console: Console) -> AbstractContextManager[Servers]:
    """Return the servers of the run, to be entered: those of the stack, or embedded ones."""
    if stack is not None:
        return stack_servers(stack, inputs.data, config.gate)
    return embedded_servers(run, (inputs.data, run), config.gate, console)


def choose_inputs(run: Path, data: Path | None, catalogue: Path | None, chain: Path | None) -> Inputs:
    """Find the catalogue and the configuration that go with the data."""
    if data is None:
        return Inputs(run / "world", run / "world" / "catalogue.yaml", chain or shipped("chains/world.yaml"))
    if not data.is_dir():
        raise InvalidCatalogue(f"{data} is not a folder: give the folder of the data")
    own = catalogue or data / "catalogue.yaml"
    if own.exists():
        if chain is None and catalogue is None and (data / World.name).exists():
            return Inputs(data, own, shipped("chains/world.yaml"))
        if chain is None:
            raise InvalidCatalogue(
                f"{own} needs a configuration of the steps: give --chain FILE, starting from {shipped('chains/world.yaml')}"
            )
        return Inputs(data, own, chain)
    samples = shipped("catalogues/samples.yaml")
    if not any((data / scene.path).exists() for scene in read_catalogue(samples).scenes):
        raise InvalidCatalogue(f"{data} has no catalogue.yaml: describe the data there, as docs/catalogue.md says")
    return Inputs(data, samples, chain or shipped("chains/samples.yaml"))


def check_size(data: Path | None, size_km: float) -> None:
    """Refuse a world that lacks the sites which the chain that is shipped for it draws.

    Args:
        data: data folder; None where a world is to be made.
        size_km: side of the world that is to be made.

    Raises:
        InvalidConfig: the world is too small.
    """
    if data is not None:
        if not (data / World.name).exists():
            return
        size_km = World.read(Folder(data)).config.size_km
    if size_km < DEMO_FROM_KM:
        raise InvalidConfig(
            f"a world of {size_km:g} km has fewer sites than the chain for it draws: take one of {DEMO_FROM_KM:g} km, or give a --chain "
            f"of fewer target_sites, starting from {shipped('chains/world.yaml')}"
        )


def check_maps(config: ChainConfig, inputs: Inputs) -> None:
    """Refuse a map that the report could not be written on: of a scene that nothing is known of.

    Raises:
        InvalidConfig: which map, and what to change.
    """
    scenes = {scene.path for scene in read_catalogue(inputs.catalogue).scenes}
    for wanted in config.maps:
        if wanted.scene not in scenes:
            raise InvalidConfig(f"map '{wanted.title}': {wanted.scene} is no scene of {inputs.catalogue}: add it there, or name another")


def shipped(name: str) -> Path:
    """Return the path of a file that comes with the package."""
    return Path(str(HERE / name))


def fingerprint(run: Path, inputs: Inputs, config: ChainConfig, store: str) -> str:
    """Return what decides a run: the release, the configuration, the catalogue, size and time of the data folder's files, another store."""
    data, own = inputs.data.resolve(), run.resolve()
    files = sorted(
        (str(path.relative_to(data)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in data.rglob("*")
        if path.is_file() and not (own.is_relative_to(data) and path.is_relative_to(own))  # a run may lie in the folder of its data
    )
    facts = [__version__, config.model_dump(mode="json"), inputs.catalogue.read_text(), files, store]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def finished(run: Path, root: str, made_from: str, config: ChainConfig) -> bool:
    """Say whether the folder holds this run: what says so, the report, and each map that it shows.

    Raises:
        UserError: a map cannot be looked at.
    """
    report = run / "report.html"
    try:
        said = json.loads((run / FINISHED).read_text())
    except (FileNotFoundError, ValueError):  # the run has not ended yet, or the machine's power did while the file was written
        return False
    if (
        not isinstance(said, dict)
        or (said.get("kind"), said.get("made_from")) != (KIND, made_from)
        or not report.exists()
        or not report.stat().st_size
    ):
        return False
    return all(is_there(run, root, wanted, said["maps"][wanted.title]) for wanted in config.maps)


def is_there(run: Path, root: str, wanted: MapConfig, version: int) -> bool:
    """Say whether a map is whole, and in the local folder of the run too, where the report looks for it."""
    folder, beside_report = Folder(map_folder(root, wanted, version)), Folder(map_folder(str(run), wanted, version))
    if not folder.exists(Map.name):
        return False
    made = Map.read(folder)
    return made.is_whole(folder) and made.is_whole(beside_report)


def tell(console: Console, run: Path, root: str, config: ChainConfig, tracking: str) -> None:
    """Say where everything is."""
    console.print(f"\nReport    {run / 'report.html'}")
    for wanted in config.maps:
        console.print(f"Map       {root if root.startswith('s3://') else run}/maps/{wanted.title}", soft_wrap=True)
    if tracking.startswith("http"):
        console.print(f"Runs      {tracking}")
        return
    mlflow = Path(os.path.relpath(run)) / "mlflow.db"
    tool = shutil.which("mlflow") or ".venv/bin/mlflow"
    console.print(f"Runs      {os.path.relpath(tool)} ui --backend-store-uri sqlite:///{mlflow}", soft_wrap=True)
