"""What a run tells: logs and progress. Services declare their Prometheus metrics in a file of their own."""

from eartheye.telemetry.logs import configure_logs, get_logger
from eartheye.telemetry.progress import Advance, progress, progress_of

__all__ = ["Advance", "configure_logs", "get_logger", "progress", "progress_of"]
