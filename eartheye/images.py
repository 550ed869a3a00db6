"""Names of the container images, one a role."""

from eartheye import __version__

DATA_IMAGE = f"eartheye/data:{__version__}"
TRAIN_IMAGE = f"eartheye/train:{__version__}"
SERVE_IMAGE = f"eartheye/serve:{__version__}"
SERVICES_IMAGE = f"eartheye/services:{__version__}"
