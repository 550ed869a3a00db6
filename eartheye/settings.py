"""Where things are: the one place that says which servers stand behind the ports.

Every field is read from the environment as `EARTHEYE_<FIELD>` (or a `.env` file). The defaults stand on nothing but Python:
a directory as object store, MLflow on SQLite, a broker and a predictor in the process.
"""

import os
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from eartheye.errors import InvalidSettings
from eartheye.gate import GatePolicy

PREFIX = "EARTHEYE_"
ENV_FILE = ".env"


class Settings(BaseSettings):
    """Addresses, credentials and limits of this process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore", frozen=True, use_attribute_docstrings=True)

    # object store
    s3_endpoint: str = "127.0.0.1:9000"
    """Host and port of MinIO or another S3, for `s3://` folders."""
    s3_access_key: str = ""
    s3_secret_key: SecretStr = SecretStr("")
    s3_secure: bool = False
    """Speak TLS to the S3 endpoint."""
    s3_root_user: str = ""
    """Administrator of a MinIO of our own. Only `eartheye buckets` asks under this name: it makes the user of `s3_access_key`."""
    s3_root_password: SecretStr = SecretStr("")
    cache_dir: Path = Path("~/.cache/eartheye")
    """Node-local cache of bulk objects and of servers that are installed once."""
    cache_limit_gb: float = Field(50.0, gt=0, allow_inf_nan=False)
    """Size at which the least recently used bulk objects leave the cache."""

    # tracking
    mlflow_tracking_uri: str = "sqlite:///runs/mlflow.db"
    mlflow_experiment: str = "eartheye"

    # message bus
    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_api_version: tuple[int, int] | None = None
    """Protocol version to speak; only the embedded broker needs it said (2, 3)."""
    kafka_username: str = ""
    """For a broker that asks for it (SASL, SCRAM-SHA-512)."""
    kafka_password: SecretStr = SecretStr("")
    kafka_secure: bool = False
    """Speak TLS to the broker."""
    kafka_timeout_s: float = Field(30.0, gt=0, le=86_400)
    """How long to wait for the broker's answer."""

    # prediction
    predictor: Literal["triton", "onnxruntime", "torch"] = "onnxruntime"
    """Where inference runs: a Triton server, or in the worker's own process by ONNX Runtime (processor) or PyTorch (a GPU where there is
    one; it runs the task model that the serving package was exported from). `eartheye.load` and `eartheye predict` need no server: for them
    Triton's place is taken by ONNX Runtime."""
    triton_url: str = "127.0.0.1:8001"
    """Triton's gRPC address."""
    triton_repository: Path | None = None
    """Triton's model repository as this process sees it; the deployer writes there."""
    triton_backend: Literal["onnxruntime", "python"] = "onnxruntime"
    """What Triton runs a model with; `python` where it has no ONNX Runtime backend."""
    triton_key: SecretStr = SecretStr("")
    """For a Triton that asks for a key before it loads a model; only the deployer sends it."""
    predictor_timeout_s: float = Field(60.0, gt=0, le=86_400)
    predictor_threads: int = Field(0, ge=0, le=1024)
    """Threads of a model that runs in the process; 0 for one on each core."""

    # platform
    database_url: str = "sqlite:///runs/eartheye.db"
    """Jobs, blocks and promotions."""
    allowed_roots: tuple[str, ...] = ()
    """Folders (paths or `s3://` prefixes) that scenes may be read from and maps written to; a request for anything else is rejected."""
    job_work: str = "runs/work"
    """Folder (path or `s3://` prefix) that planner, workers and assembler share for the blocks of mapping jobs; no scene or map may be in
    it or above it, for what it holds is removed."""
    job_limit_px: int = Field(20_000_000_000, gt=0)
    """Largest area of a job. Default: 11,000 km² at 0.75 m, a province; a gigantic area is more often a mistake than a wish."""
    gate: GatePolicy = GatePolicy()
    """What a model must show before it serves, as JSON, for example `{"min_miou": 0.3}`. Registry and admin service ask the same."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """Port on which `eartheye serve` offers its Prometheus metrics and answers whether it lives and is ready; 0 for none."""
    admin_host: str = "127.0.0.1"
    """Address that the admin service listens on. Default: this machine alone; it speaks no TLS, put a proxy before it."""
    admin_port: int = Field(8090, ge=0, le=65535)
    admin_secure: bool = False
    """People reach the admin pages by https alone, through a proxy: the cookie of a session is never sent without TLS."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if self.predictor == "triton" and self.triton_repository is None:
            raise ValueError("predictor 'triton' needs EARTHEYE_TRITON_REPOSITORY, the folder the server loads models from")
        return self

    @property
    def cache(self) -> Path:
        """The cache folder with `~` resolved."""
        return self.cache_dir.expanduser()


@lru_cache(maxsize=1)
def load() -> Settings:
    """Return the settings of this process, read once.

    Raises:
        InvalidSettings: a value is malformed, values contradict each other, or there is no setting of a name.
    """
    _refuse_unknown({name.upper() for name in (*os.environ, *dotenv_values(ENV_FILE))})
    try:
        return Settings()
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc'])).upper() or 'settings'}: {e['msg']}" for e in error.errors())
        raise InvalidSettings(f"settings EARTHEYE_*: {reasons}") from None
    except SettingsError as error:
        raise InvalidSettings(f"settings EARTHEYE_*: {error}: a value of several parts is written as JSON") from None


def _refuse_unknown(names: set[str]) -> None:
    """Refuse a name that is misspelt: its setting would stand at the default, and nobody would know."""
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    if unknown := sorted(name for name in names.difference(known) if name.startswith(PREFIX)):
        near = get_close_matches(unknown[0].removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in known], 1)
        meant = f"did you mean {PREFIX}{near[0]}?" if near else "remove it, or see eartheye/settings.py for those that are"
        raise InvalidSettings(f"{unknown[0]} is no setting: {meant}")
