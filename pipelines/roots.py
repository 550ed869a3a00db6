"""Where a run may put its folders."""

from eartheye.errors import InvalidSettings
from eartheye.settings import load


def check_root(root: str) -> None:
    """Refuse a folder that the servers of the settings cannot use, before anything is computed.

    Args:
        root: folder that takes the steps' folders.

    Raises:
        InvalidSettings: it is a directory, and MLflow is a server, which takes no model from another machine's files.
    """
    tracking = load().mlflow_tracking_uri
    if tracking.startswith("http") and not root.startswith("s3://"):
        raise InvalidSettings(
            f"{root} is a directory and MLflow at {tracking} is a server: name a folder of an object store (s3://bucket/run), "
            "or set EARTHEYE_MLFLOW_TRACKING_URI to a sqlite:/// file"
        )
