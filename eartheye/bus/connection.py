"""How every client reaches the broker, and how its silence is told."""

import math
from typing import Any, Protocol

from kafka.admin import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    IllegalStateError,
    InvalidTopicError,
    KafkaConfigurationError,
    KafkaError,
    SaslAuthenticationFailedError,
)

from eartheye.errors import BusUnavailable
from eartheye.settings import Settings

PERMANENT = (AuthorizationError, SaslAuthenticationFailedError, InvalidTopicError, KafkaConfigurationError, IllegalStateError)
"""Errors that asking again does not heal; all others of kafka-python pass with a rebalance or when the broker is back."""


class Record(Protocol):
    """What is used of a record of kafka-python."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the options that producer, consumer and admin client of kafka-python share."""
    timeout_ms = math.ceil(settings.kafka_timeout_s * 1000)
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "api_version": settings.kafka_api_version,
        "bootstrap_timeout_ms": timeout_ms,
        "request_timeout_ms": timeout_ms,
        "reconnect_backoff_max_ms": 2000,
    }
    if settings.kafka_username:
        options |= {
            "security_protocol": "SASL_SSL" if settings.kafka_secure else "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    elif settings.kafka_secure:
        options["security_protocol"] = "SSL"
    return options


def check_broker(settings: Settings, limit_s: float) -> None:
    """Connect to the broker as this process's own user, and say so where it does not answer.

    Args:
        settings: the broker, and the user.
        limit_s: how long it may take.

    Raises:
        BusUnavailable: it does not answer in time, or refuses the user.
    """
    hasty = settings.model_copy(update={"kafka_timeout_s": limit_s})
    try:
        KafkaAdminClient(**client_options(hasty)).close()
    except KafkaError as error:
        raise unavailable(hasty, "answer", error) from error


def unavailable(settings: Settings, what: str, error: KafkaError | None = None) -> BusUnavailable:
    """Return the error that says what the broker did not do, and what to change."""
    if isinstance(error, PERMANENT):
        return BusUnavailable(
            f"Kafka at {settings.kafka_bootstrap} refused to {what} ({error}): correct EARTHEYE_KAFKA_USERNAME and "
            "EARTHEYE_KAFKA_PASSWORD, or what that user may do"
        )
    because = f" ({error})" if error else ""
    return BusUnavailable(
        f"Kafka at {settings.kafka_bootstrap} did not {what} within {settings.kafka_timeout_s:g} s{because}: "
        "start it, or set EARTHEYE_KAFKA_BOOTSTRAP to one that runs and has the platform's topics"
    )
