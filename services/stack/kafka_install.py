"""Kafka's program: its jars by Maven, in the user's cache folder, fetched once."""

import fcntl
import re
import shutil
import subprocess
from pathlib import Path

from eartheye.errors import ServerNotStarted
from eartheye.telemetry import get_logger

log = get_logger(__name__)

VERSION = "4.3.1"
OLDEST_JAVA = 17
FETCH_LIMIT_S = 600
PROBE_LIMIT_S = 20
POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>eartheye</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
"""


def kafka_jars(cache: Path) -> Path:
    """Return the folder of Kafka's jars, fetched into the cache at the first call (some seconds, 45 MB).

    Args:
        cache: the user's cache folder.

    Raises:
        ServerNotStarted: they are not there, and Maven is missing or fails.
    """
    jars = cache / f"kafka-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes may ask at once: one fetches, the others wait
        if not jars.exists():
            _fetch(jars)
    return jars


def java_program() -> str:
    """Return the Java program.

    Raises:
        ServerNotStarted: there is none, or it is too old for Kafka.
    """
    way_out = f"install Java {OLDEST_JAVA} or newer (Debian: apt-get install openjdk-{OLDEST_JAVA}-jre-headless)"
    if (java := shutil.which("java")) is None:
        raise ServerNotStarted(f"Kafka runs on Java, which is not on PATH: {way_out}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=PROBE_LIMIT_S, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise ServerNotStarted(f"Kafka does not run on {said.splitlines()[0] if said else 'this Java'}: {way_out}")
    return java


def _fetch(jars: Path) -> None:
    """Fetch into a folder beside, and give it its name when it is whole."""
    if (maven := shutil.which("mvn")) is None:
        raise ServerNotStarted("Kafka's jars are fetched by Maven, which is not on PATH: install it (Debian: apt-get install maven)")
    log.info("fetching kafka", folder=str(jars), note="some seconds, once")
    part = jars.with_name(f"{jars.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # what a killed attempt left
    part.mkdir()
    try:
        (part / "pom.xml").write_text(POM)
        command = [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={part}", "-DincludeScope=runtime"]
        done = subprocess.run(command, cwd=part, capture_output=True, text=True, timeout=FETCH_LIMIT_S, check=False)
        if done.returncode:
            raise ServerNotStarted(f"Maven could not fetch Kafka {VERSION}: {(done.stdout + done.stderr).strip()[-500:]}")
        part.rename(jars)
    except subprocess.TimeoutExpired:
        raise ServerNotStarted(f"Maven did not fetch Kafka {VERSION} within {FETCH_LIMIT_S} s: try again") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
