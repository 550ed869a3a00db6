"""Build the images and run `eartheye --version` in each: with docker or podman where one runs, else with buildah, which needs no daemon.

Where no registry can be reached, buildah starts from a Debian made here by mmdebstrap.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from eartheye import __version__
from eartheye.images import DATA_IMAGE, SERVE_IMAGE, SERVICES_IMAGE, TRAIN_IMAGE

ROOT = Path(__file__).parents[1]
IMAGES = {"data": DATA_IMAGE, "train": TRAIN_IMAGE, "serve": SERVE_IMAGE, "services": SERVICES_IMAGE}
LOCAL_PYTHON = "localhost/eartheye/python:bookworm"
CERTIFICATE = "/run/certificate.pem"
CHROOT = ("--isolation", "chroot")


class CannotBuild(Exception):
    """There is no builder, or it failed; the message says what to change."""


def main() -> None:
    """Build the roles that are named, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roles", nargs="*", metavar="ROLE", help=f"{', '.join(IMAGES)}; all by default")
    parser.add_argument("--python", help="image to build on, with Python 3.11 and its venv module; by default the one of the Dockerfile")
    given = parser.parse_args()
    if unknown := set(given.roles) - set(IMAGES):
        parser.error(f"no such role: {', '.join(sorted(unknown))}; there are {', '.join(IMAGES)}")
    try:
        builder = find_builder()
        python = given.python or (local_python() if builder == "buildah" and not registry_answers() else None)
        print(f"building with {builder} on {python or 'the image of the Dockerfile'}", flush=True)
        for role in given.roles or IMAGES:
            begun = time.monotonic()
            build(builder, role, python)
            said = version_inside(builder, IMAGES[role])
            print(f"{IMAGES[role]}: {size_of(builder, IMAGES[role])}, eartheye {said}, {time.monotonic() - begun:.0f} s", flush=True)
            if said != __version__:
                raise CannotBuild(f"{IMAGES[role]} holds eartheye {said}, this is {__version__}")
    except CannotBuild as reason:
        print(f"docker/build.py: {reason}", file=sys.stderr)
        sys.exit(2)


def find_builder() -> str:
    """Return the first builder that works here."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return name
    if shutil.which("buildah"):
        return "buildah"
    raise CannotBuild("no docker or podman answers and there is no buildah: install one of them (Debian: apt-get install buildah)")


def registry_answers() -> bool:
    """Say whether buildah can have the image that the Dockerfile names."""
    line = next(line for line in (ROOT / "docker" / "Dockerfile").read_text().splitlines() if line.startswith("ARG PYTHON="))
    return subprocess.run(["buildah", "pull", "--quiet", line.partition("=")[2]], capture_output=True, check=False).returncode == 0


def local_python() -> str:
    """Return an image of Debian 12 with its Python 3.11, made once by mmdebstrap."""
    if subprocess.run(["buildah", "inspect", "--type", "image", LOCAL_PYTHON], capture_output=True, check=False).returncode == 0:
        return LOCAL_PYTHON
    if not shutil.which("mmdebstrap"):
        raise CannotBuild("no registry answers: name an image that is here by --python, or install mmdebstrap to have one made")
    print("no registry answers: making a Debian with mmdebstrap", flush=True)
    archive = ROOT / "build" / "python.tar"
    archive.parent.mkdir(exist_ok=True)
    packages = "python3,python3-venv,ca-certificates"
    run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", "bookworm", str(archive))
    container = run("buildah", "from", "scratch")
    try:
        run("buildah", "add", "--quiet", container, str(archive), "/")
        run("buildah", "commit", "--quiet", container, LOCAL_PYTHON)
    finally:
        run("buildah", "rm", container)
        archive.unlink()
    return LOCAL_PYTHON


def build(builder: str, role: str, python: str | None) -> None:
    """Build a role's image under its name; what the builder says goes to the terminal."""
    command = [builder, "build", "--file", "docker/Dockerfile", "--target", role, "--tag", IMAGES[role]]
    if builder == "buildah":
        command += [*CHROOT, "--layers", "--format", "docker"]
    if python:
        command += ["--build-arg", f"PYTHON={python}"]
    if certificate := os.environ.get("PIP_CERT"):
        command += ["--secret", f"id=certificate,src={certificate}", "--build-arg", f"PIP_CERT={CERTIFICATE}"]
    if subprocess.run([*command, "."], cwd=ROOT, check=False).returncode:
        raise CannotBuild(f"{builder} could not build {role}, see above")


def version_inside(builder: str, image: str) -> str:
    """Return what `eartheye --version` says in a container of the image, as the image's own user."""
    if builder != "buildah":
        return run(builder, "run", "--rm", image, "--version")
    container = run("buildah", "from", "--pull-never", image)
    try:
        return run("buildah", "run", *CHROOT, container, "--", "eartheye", "--version")
    finally:
        run("buildah", "rm", container)


def size_of(builder: str, image: str) -> str:
    """Return the size of an image with all its layers, in words."""
    if builder == "buildah":
        (described,) = json.loads(run("buildah", "images", "--json", image))
        return str(described["size"])
    return f"{int(run(builder, 'image', 'inspect', '--format', '{{.Size}}', image)) / 1e9:.2f} GB"


def run(*command: str) -> str:
    """Run a command to its end; returns what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise CannotBuild(f"`{' '.join(command)}` failed: {done.stderr.strip()[-1000:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
