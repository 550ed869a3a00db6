"""Commands that make, judge and move models."""

from typing import Annotated

from cyclopts import Parameter

from components.evaluator.config import EvaluatorConfig
from components.exporter.config import ExporterConfig
from components.finetuner.config import FinetuneConfig
from components.pretrainer.config import PretrainConfig
from eartheye.wording import counted
from services.cli import forecasts
from services.cli.inputs import LocalPath, Version


def pretrain(
    tiles: str,
    curated: str,
    backbone: str,
    *,
    checkpoint: str,
    dry_run: bool = False,
    config: Annotated[PretrainConfig, Parameter(name="*")] = PretrainConfig(),
) -> None:
    """Pretrain a backbone on unlabelled tiles. Interrupted, it goes on from its last checkpoint.

    Example: `eartheye pretrain runs/tiles runs/curated runs/backbone --checkpoint runs/checkpoint --size small --steps 20000`, first with
    `--dry-run` for what would be done

    Parameters
    ----------
    tiles
        The folder of the tiles.
    curated
        What is kept of them.
    backbone
        The folder to make.
    checkpoint
        Where the training saves itself.
    dry_run
        Only count what would be trained, do a few steps for memory and time, and write nothing.
    """
    from components.pretrainer.forecast import forecast_pretraining
    from components.pretrainer.run import pretrain as run
    from eartheye.store import Folder

    given = Folder(tiles), Folder(curated), config, Folder(checkpoint), Folder(backbone)
    if dry_run:
        forecasts.say(forecasts.of_pretraining(forecast_pretraining(*given)), backbone)
        return
    package = run(*given)
    print(f"{package.title} ({package.architecture.name}) in {backbone}")


def finetune(
    tiles: str, backbone: str, model: str, *, dry_run: bool = False, config: Annotated[FinetuneConfig, Parameter(name="*")]
) -> None:
    """Train a head on a frozen backbone.

    Example: `eartheye finetune runs/tiles runs/backbone runs/landcover --title landcover --task segmentation --samples.label-set
    landcover`, first with `--dry-run` for what would be done

    Parameters
    ----------
    tiles
        The folder of the labelled tiles.
    backbone
        The folder of the backbone.
    model
        The folder to make.
    dry_run
        Only count what would be trained, try a few windows for time, and write nothing.
    """
    from components.finetuner.forecast import forecast_head
    from components.finetuner.run import finetune as run
    from eartheye.store import Folder

    given = Folder(tiles), Folder(backbone), config, Folder(model)
    if dry_run:
        forecasts.say(forecasts.of_head(forecast_head(*given)), model)
        return
    package = run(*given)
    print(f"{package.title}: {counted(len(package.classes), 'class', 'classes')}, in {model}")


def evaluate(
    tiles: str,
    model: str,
    report: str,
    *,
    dry_run: bool = False,
    config: Annotated[EvaluatorConfig, Parameter(name="*")] = EvaluatorConfig(),
) -> None:
    """Judge a model on tiles it has not seen, beside a random backbone and colour alone.

    A backbone is judged by nearest neighbours and a linear probe on `--samples`; a task model on its own test tiles.

    Example: `eartheye evaluate runs/tiles runs/landcover runs/landcover-report`, first with `--dry-run` for what would be done

    Parameters
    ----------
    tiles
        The folder of the labelled tiles.
    model
        The folder of a backbone or of a task model.
    report
        The folder to make.
    dry_run
        Only count what would be judged, try a few windows for time, and write nothing.
    """
    from components.evaluator.forecast import forecast_evaluation
    from components.evaluator.run import evaluate_backbone, evaluate_task
    from eartheye.contracts import ModelPackage
    from eartheye.store import Folder

    given = Folder(tiles), Folder(model), config, Folder(report)
    if dry_run:
        forecasts.say(forecasts.of_evaluation(forecast_evaluation(*given)), report)
        return
    judge = evaluate_backbone if ModelPackage.read(Folder(model)).task == "backbone" else evaluate_task
    found = judge(*given)
    for score in found.scores:
        interval = "" if score.low is None else f"  ({score.low:.3f} to {score.high:.3f})"
        print(f"{score.protocol:<16} {score.model:<18} {score.metric:<6} {score.value:.3f}{interval}")
    print(f"pictures in {report}")


def export(model: str, tiles: str, serving: str, *, config: Annotated[ExporterConfig, Parameter(name="*")] = ExporterConfig()) -> None:
    """Export a task model to ONNX, and hold it against the trained model on real tiles.

    Example: `eartheye export runs/landcover runs/tiles runs/landcover-serving`

    Parameters
    ----------
    model
        The folder of the task model.
    tiles
        Tiles of its bands.
    serving
        The folder to make.
    """
    from components.exporter.run import export_model
    from eartheye.store import Folder

    package = export_model(Folder(model), Folder(tiles), config, Folder(serving))
    print(f"{package.title}: largest difference of a probability {package.parity:.4f}, in {serving}")


def register(name: str, model: str, serving: str, report: str) -> None:
    """Register a task model, its serving package and its evaluation as a candidate.

    Example: `eartheye register landcover runs/landcover runs/landcover-serving runs/landcover-report`

    Parameters
    ----------
    name
        Of the registered model.
    model
        The folder of the task model.
    serving
        The folder of its serving package.
    report
        The folder of its evaluation.
    """
    from eartheye.store import Folder
    from pipelines.requests import register_candidate

    print(f"{name} version {register_candidate(name, Folder(model), Folder(serving), Folder(report)).version}")


def deploy(serving: str, name: str, version: Version) -> None:
    """Put a version on the inference server of the settings and run its golden tile.

    Example: `EARTHEYE_PREDICTOR=triton EARTHEYE_TRITON_REPOSITORY=/models eartheye deploy runs/landcover-serving landcover 3`

    Parameters
    ----------
    serving
        The folder of the serving package.
    name
        Of the registered model.
    version
        Of the registered model.
    """
    from components.deployer.run import deploy as run
    from eartheye.store import Folder

    deployed = run(Folder(serving), name, version)
    print(f"{name} version {version} on {deployed.server}: largest difference on the golden tile {deployed.difference:.4f}")


def predict(model: str, scene: str, output: LocalPath, *, bands: tuple[str, ...] | None = None, crs: str | None = None) -> None:
    """Map a scene here, in this process and in one pass.

    Examples: `eartheye predict runs/landcover-serving scene.tif map.tif`; `eartheye predict models:/landcover@champion scene.tif map.tif
    --bands red green blue`

    Parameters
    ----------
    model
        The folder of a serving package, or `models:/NAME@ALIAS` of the registry.
    scene
        Path or URI of a georeferenced raster.
    output
        The cloud-optimised GeoTIFF to write.
    bands
        Names of the scene's bands, where the file does not name them.
    crs
        Reference system of the scene, as EPSG:4326, where the file has none.
    """
    import eartheye
    from services.inference.here import check_output

    check_output(scene, output)
    eartheye.load(model).predict(scene, bands=bands, crs=crs).write(output)
    print(f"map in {output}")
