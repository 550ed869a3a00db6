"""What the steps are given on a cluster: addresses by a ConfigMap, credentials by a Secret; a run on this machine has its own."""

from kfp import dsl, kubernetes

SETTINGS = "eartheye-settings"
"""ConfigMap in the namespace of the runs; manifests/pipelines makes it."""
GIVEN = (
    "EARTHEYE_S3_ENDPOINT",
    "EARTHEYE_S3_SECURE",
    "EARTHEYE_CACHE_DIR",
    "EARTHEYE_MLFLOW_TRACKING_URI",
    "EARTHEYE_KAFKA_BOOTSTRAP",
    "EARTHEYE_KAFKA_USERNAME",
    "EARTHEYE_LOG_FORMAT",
)
CREDENTIALS = {
    "object-store": {"access-key": "EARTHEYE_S3_ACCESS_KEY", "secret-key": "EARTHEYE_S3_SECRET_KEY"},
    "kafka": {"password": "EARTHEYE_KAFKA_PASSWORD"},
}
"""Secrets in the namespace of the runs, with the keys of the same Secrets of the platform."""


def with_settings(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Give a task the platform's settings; the local runner passes on its own environment instead."""
    kubernetes.use_config_map_as_env(task, SETTINGS, {name: name for name in GIVEN})
    for secret, variable_of_key in CREDENTIALS.items():
        kubernetes.use_secret_as_env(task, secret, variable_of_key)
    return task
