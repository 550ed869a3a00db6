"""What an evaluation would come to: counted from its windows, its time from a few of them tried."""

from dataclasses import dataclass

from components.evaluator.config import EvaluatorConfig
from components.evaluator.run import identify, open_scenes, open_trial
from components.finetuner.forecast import thin, try_encoding, try_epoch
from components.finetuner.resources import Resources
from components.finetuner.windows import Windows
from eartheye.contracts import ModelPackage, Report, Tiles
from eartheye.store import Folder
from eartheye.tiles import TileSet
from models.heads.linear import LinearHead
from models.package import load_backbone
from models.tasks import SceneClassifier


@dataclass(frozen=True)
class EvaluationForecast:
    """What is to be judged, and what it takes."""

    train: int
    """Windows that the baselines learn from."""
    validation: int
    """Windows that they are chosen by."""
    test: int
    """Windows that all are judged on."""
    classes: int
    encoded: int
    """Windows that go through a network, those of each network and purpose counted."""
    epochs: int
    """Of the head on the random backbone; 0 where a backbone is judged, which has none."""
    features_bytes: int
    """Of the features that are kept on this machine's disk meanwhile, at most."""
    seconds: float
    """For the features, and the head, on this machine, about; classifiers and pictures come after that."""


def forecast_evaluation(
    tiles: Folder, model: Folder, config: EvaluatorConfig, report: Folder, resources: Resources = Resources()
) -> EvaluationForecast | None:
    """Say what `evaluate_backbone` or `evaluate_task` would judge; nothing is written.

    Args:
        tiles: a finished folder of tiles, some with labels.
        model: a finished backbone or task model.
        config: of the protocols.
        report: where the report would go.
        resources: device and threads.

    Returns:
        The counts; None where the folder is finished.

    Raises:
        UserError: what the evaluation would raise, but for a full store.
    """
    given, package = Tiles.read(tiles), ModelPackage.read(model)
    if Report.done(report, identify(given, package, config)):
        return None
    if package.task == "backbone":
        return _of_backbone(TileSet(tiles), model, package, config, resources)
    return _of_task(tiles, model, config, resources)


def _of_backbone(
    tiles: TileSet, backbone: Folder, package: ModelPackage, config: EvaluatorConfig, resources: Resources
) -> EvaluationForecast:
    network, windows = load_backbone(backbone), open_scenes(tiles, package, config)
    classifier = SceneClassifier(network, LinearHead(network.spec.dim, len(windows.classes)))
    features, encoding_s = try_encoding(classifier, tiles, thin(windows), "float32", resources)
    encoded = 2 * len(windows.all)  # by the backbone and by one with weights of chance
    return _forecast(windows, encoded, 0, encoded * features[0].nbytes, encoded * encoding_s)


def _of_task(tiles: Folder, model: Folder, config: EvaluatorConfig, resources: Resources) -> EvaluationForecast:
    trial = open_trial(tiles, model, config, resources)
    windows, training = trial.windows, trial.training
    few = thin(windows)
    features, encoding_s = try_encoding(trial.model, trial.tiles, few, training.precision, resources)
    epoch_s = try_epoch(trial.model, trial.tiles, few, features, training, resources)
    learned = len(windows.rows("train", "validation"))
    encoded = learned + 2 * len(windows.rows("test"))  # the baseline learns, and both are tested
    if training.task == "scenes":
        encoded += len(windows.all)  # for the nearest neighbours
    seconds = encoded * encoding_s + training.epochs * learned * epoch_s
    return _forecast(windows, encoded, training.epochs, encoded * features[0].nbytes, seconds)


def _forecast(windows: Windows, encoded: int, epochs: int, features_bytes: int, seconds: float) -> EvaluationForecast:
    train, validation, test = (len(windows.rows(part)) for part in ("train", "validation", "test"))
    return EvaluationForecast(train, validation, test, len(windows.classes), encoded, epochs, features_bytes, seconds)
