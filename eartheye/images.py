"""Names of the container images, one a role; docker/ builds them, manifests/ and the pipelines run them."""

from eartheye import __version__

DATA_IMAGE = f"docker.io/eartheye/data:{__version__}"
TRAIN_IMAGE = f"docker.io/eartheye/train:{__version__}"
SERVE_IMAGE = f"docker.io/eartheye/serve:{__version__}"
SERVICES_IMAGE = f"docker.io/eartheye/services:{__version__}"
