"""The command that runs the whole chain."""

from pathlib import Path

from services.cli.inputs import LocalPath


def demo(
    *,
    data: LocalPath | None = None,
    catalogue: LocalPath | None = None,
    chain: LocalPath | None = None,
    run: LocalPath | None = None,
    size_km: float = 8.0,
    seed: int = 0,
    stack: bool = False,
) -> None:
    """Run the whole chain, from imagery to a served map, and write a report with pictures.

    Without `--data` it makes a synthetic world first. It starts servers of its own, in this process and its children, whatever servers
    `EARTHEYE_*` variables name: no account is needed. With `--stack` it uses those of `eartheye stack up`. Started again it goes on where
    it stopped; finished, it says so.

    Examples: `eartheye demo`; `eartheye demo --data ~/imagery --run runs/imagery`; `eartheye demo --stack`

    Parameters
    ----------
    data
        Data folder of this machine, with a `catalogue.yaml` (docs/catalogue.md), or with the layout of the public samples.
    catalogue
        Catalogue of a data folder that holds none.
    chain
        YAML file with the configuration of every step, where the defaults do not fit.
    run
        Folder of the run: all that is made, and `report.html`; by default `runs/demo`, or `runs/stack` on the stack.
    size_km
        Side of the synthetic world, km; from 8 on it has the sites that the default chain draws.
    seed
        Seed of the synthetic world.
    stack
        Use the servers that `eartheye stack up` started in this folder, or, where it did not, those that `EARTHEYE_*` variables name (the
        containers of docker/compose.yaml): tiles, packages and maps lie in the bucket `eartheye` then, under the run folder's name.
    """
    from services.demo.run import run_demo

    folder = run or Path("runs/stack" if stack else "runs/demo")
    servers = Path(".stack") if stack else None
    run_demo(folder, data=data, catalogue=catalogue, chain=chain, size_km=size_km, seed=seed, stack=servers)
