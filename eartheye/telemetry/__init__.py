"""What a run tells: logs, progress, and that its loops turn. Services declare their Prometheus metrics in a file of their own."""

from eartheye.telemetry.logs import configure_logs, get_logger
from eartheye.telemetry.progress import Advance, progress, progress_of
from eartheye.telemetry.pulse import PULSE, Pulse

__all__ = ["PULSE", "Advance", "Pulse", "configure_logs", "get_logger", "progress", "progress_of"]
