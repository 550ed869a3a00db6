"""Errors a user can act on: each is told in one line and says what to change. Anything else is a fault and keeps its traceback."""


class UserError(Exception):
    """Base of all errors whose message is meant for the user; a command ends with exit code 2."""


class InvalidSettings(UserError):
    """Settings that are missing, malformed or cannot work together."""


class InvalidConfig(UserError):
    """A step was configured with values it cannot accept."""


class Outage(UserError):
    """Something that the work stands on is away or full at present: tried again later, the same may succeed."""


# --- contracts between stages


class NotFinished(UserError):
    """The stage that makes this folder has not run to its end."""


class ConflictingOutput(UserError):
    """The output folder holds what another input or configuration made."""


class NewerManifest(UserError):
    """The manifest was written by a newer release, with a schema this one does not know."""


class UnreadableManifest(UserError):
    """A manifest is not what its kind says: truncated, edited by hand, or of another kind."""


# --- object store


class InvalidName(UserError, ValueError):
    """A folder or an object has a name that a store cannot hold."""


class StoreUnavailable(Outage):
    """The object store does not answer, or refuses the credentials."""


class CredentialsRefused(StoreUnavailable):
    """The object store answers, and refuses the credentials: it will go on to, until they are set anew here or there."""


class FolderRefused(UserError):
    """A folder of a store cannot be used: its bucket is not there, or this user has no access to it.

    Other folders can be used meanwhile, so that this is no `Outage` to wait for: what needs the folder fails.
    """


class StoreFull(Outage):
    """The disk, the bucket or a size limit is full."""


class MissingBulk(UserError):
    """A bulk object named by a manifest is not there."""


class CorruptBulk(UserError):
    """A bulk object's size or SHA-256 is not what its manifest says."""


# --- imagery and geodata


class UnreadableRaster(UserError):
    """A raster cannot be opened or decoded: truncated, corrupt, or no raster at all."""


class MissingRaster(UnreadableRaster):
    """There is no file where a raster should be."""


class MissingCrs(UserError):
    """A raster or vector layer has no coordinate reference system, or one that cannot be placed on Earth."""


class WrongBands(UserError):
    """An image has other bands than the model or the step needs."""


class WrongScale(UserError):
    """An image's ground sampling distance is outside the range that the model was trained for."""


class WrongWeights(UserError):
    """A weights file is damaged, or holds the weights of another network."""


class EmptyArea(UserError):
    """The area asked for holds no data."""


class UnknownLandCover(UserError):
    """A land-cover raster holds codes that its legend does not name."""


class InvalidCatalogue(UserError):
    """The catalogue of a data folder is missing or names what is not there."""


# --- sampling


class IncompleteCells(UserError):
    """A cell has no region, class or elevation."""


class NotEnoughCells(UserError):
    """Fewer cells than sites wanted."""


# --- tiles and training


class TargetTooLarge(UserError):
    """A chip does not fit where it should be cut."""


class NotEnoughTiles(UserError):
    """Too few tiles or labels for what is asked."""


class CorruptTile(UserError):
    """A tile's bytes do not decode to what the index says."""


class TrainingDiverged(UserError):
    """A loss or a gradient is no longer a finite number."""


class WrongBackbone(UserError):
    """A head's backbone is not there, or is another one than the head was trained on."""


# --- local servers


class ServerNotStarted(UserError):
    """A local server's program is not there and cannot be built, or it does not come up in time."""


class PortTaken(ServerNotStarted):
    """A port that was chosen for a local server went to somebody else before it could listen."""


class TritonCannotRun(ServerNotStarted):
    """This machine cannot run the embedded Triton; ONNX Runtime in the process can stand in for it."""


class TritonEnded(UserError):
    """The embedded Triton ran, and has ended while it was needed."""


# --- platform database


class DatabaseUnavailable(Outage):
    """The platform's database does not answer, or refuses the credentials."""


class SchemaMismatch(UserError):
    """The platform's database has another schema than this release."""


# --- bus, prediction, promotion


class BusUnavailable(Outage):
    """Kafka does not answer in time."""


class NoReply(UserError):
    """Nobody answered a request in time, or the answer cannot be read."""


class PredictorUnavailable(Outage):
    """The inference server does not answer in time, or does not hold the model."""


class PredictorSilent(PredictorUnavailable):
    """The inference server does not answer at all: it is down, or starting again."""


class NotDeployed(PredictorUnavailable):
    """The inference server answers, and does not hold the model, or holds another under its name."""


class TrackingUnavailable(Outage):
    """MLflow does not answer, or does not hold what is asked for."""


class UnknownModel(TrackingUnavailable):
    """The registry does not hold the model, or the model has no such alias."""


class PipelinesUnavailable(Outage):
    """Kubeflow Pipelines does not answer, or does not take a run."""


class OutputBusy(Outage):
    """Another process writes to the output folder at present."""


class RequestRejected(UserError):
    """A request was refused, with the reason."""


class OutsideRoots(RequestRejected):
    """A request names a path outside the folders of the service."""


class NameTaken(RequestRejected):
    """Another request has the name already."""


class GateNotPassed(UserError):
    """A candidate did not pass the promotion gate."""


class StaleVersion(UserError):
    """The champion is no longer the one that was seen when something was asked, or is about to change."""


class NothingToRollBackTo(UserError):
    """The model has no previous champion."""


class ParityNotReached(UserError):
    """An exported model does not compute what the trained one does."""


class JobFailed(UserError):
    """A job ended without its result."""


class JobRests(UserError):
    """What was asked of a job does not fit the state that it is in."""


class StepFailed(UserError):
    """A step of a pipeline ended with a user error."""


# --- admin service


class NotSignedIn(UserError):
    """There is no API key, or it is not in force."""


class NotAllowed(UserError):
    """The key's role does not suffice."""


class NotThere(UserError):
    """What was asked for does not exist."""


class TooManyStreams(UserError):
    """As many streams of events are open as may be."""
