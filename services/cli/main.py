"""The console command: which commands there are. Each is loaded when it is called, so that `--help` answers at once."""

import sys

from cyclopts import App, CycloptsError, Group, Parameter

from eartheye import __version__
from eartheye.errors import UserError
from eartheye.telemetry import configure_logs
from services.cli.mistakes import one_line

START = Group("Start here", sort_key=0)
DATA = Group("Data", sort_key=1)
MODELS = Group("Models", sort_key=2)
PIPELINES = Group("Pipelines", sort_key=3)
SERVICES = Group("Services", sort_key=4)
SERVERS = Group("Servers", sort_key=5)

COMMANDS = (
    (START, "services.cli.demo:demo", "Run the whole chain and write a report."),
    (START, "services.cli.world:world", "Make a small synthetic world to try things on."),
    (DATA, "services.cli.data:cells", "Describe the cells of the sampling grid: land cover, elevation, region."),
    (DATA, "services.cli.data:sample", "Draw stratified sites from the cells."),
    (DATA, "services.cli.data:tile", "Cut tiles and masks at the sites into LMDB shards."),
    (DATA, "services.cli.data:curate", "Drop poor and redundant tiles."),
    (MODELS, "services.cli.models:pretrain", "Pretrain a backbone on unlabelled tiles."),
    (MODELS, "services.cli.models:finetune", "Train a head on a frozen backbone."),
    (MODELS, "services.cli.models:evaluate", "Judge a backbone or a task model beside baselines."),
    (MODELS, "services.cli.models:export", "Export a task model to ONNX, with a parity check."),
    (MODELS, "services.cli.models:register", "Register a task model as a candidate."),
    (MODELS, "services.cli.models:deploy", "Put a version on the inference server and run its golden tile."),
    (MODELS, "services.cli.models:predict", "Map a scene here, in this process, without any server."),
    (PIPELINES, "services.cli.pipelines:pipeline", "Compile, run here or submit the chain."),
    (SERVICES, "services.cli.services:promote", "Ask that a version become the champion."),
    (SERVICES, "services.cli.services:rollback", "Ask for the champion before."),
    (SERVICES, "services.cli.champions:champions", "Say which versions serve, and what pending decisions wait for."),
    (SERVICES, "services.cli.services:map", "Ask for a map of a scene, and wait for it."),
    (SERVICES, "services.cli.services:serve", "Run a service, or all: registry, planner, worker, assembler, admin."),
    (SERVICES, "services.cli.services:topics", "Create the topics that the broker does not have yet."),
    (SERVICES, "services.cli.buckets:buckets", "Make the buckets that the object store does not have yet."),
    (SERVICES, "services.cli.database:database", "Bring the platform's database to the schema of this release."),
    (SERVICES, "services.cli.admin:admin", "Give, list and revoke the keys of the admin service."),
    (SERVERS, "services.cli.stack:stack", "Start, look after and end the local servers."),
)
"""Group, place, and words for the list of commands."""
OURS = ("eartheye", "models", "components", "pipelines", "services")
"""Packages that no installation lacks."""


def command_line(listing: bool) -> App:
    """Return the console command.

    Args:
        listing: give the commands the words of the list, which need no command to be loaded; otherwise a command tells of itself by its
            docstring, with an example.
    """
    app = App(
        name="eartheye",
        version=__version__,
        help="""From satellite imagery to a served map.

        Every step reads finished folders and fills one; run again it does only what is missing. A folder is a path or `s3://bucket/prefix`.

        The steps, `pipeline run` and `predict` need no server. `map`, `promote`, `rollback` and `serve` meet on a Kafka broker:
        `EARTHEYE_KAFKA_BOOTSTRAP`, or the one on this machine that `eartheye stack up` starts. `demo` brings servers of its own.

        Try `eartheye demo`, then `eartheye COMMAND --help`.
        """,
        help_format="markdown",
        default_parameter=Parameter(negative=(), consume_multiple=True),
        suppress_keyboard_interrupt=False,
    )
    for group, place, words in COMMANDS:
        app.command(place, group=group, help=words if listing else None)
    return app


def main() -> None:
    """Run the command; what the user can mend is told in one line and ends with exit code 2."""
    app = command_line(listing=all(word.startswith("-") for word in sys.argv[1:]))
    try:
        configure_logs()
        app(exit_on_error=False, print_error=False)
    except CycloptsError as error:
        print(f"eartheye: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except UserError as error:
        print(f"eartheye: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in OURS:
            raise
        print(f"eartheye: {error.name} is not installed here: install eartheye[all], or take the image of this role", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("eartheye: interrupted; run it again to go on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
