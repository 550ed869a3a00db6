"""The console command: which commands there are. Each is loaded when it is called, so that `--help` answers at once."""

import sys

from cyclopts import App, Group

from eartheye import __version__
from eartheye.errors import UserError
from eartheye.telemetry import configure_logs

START = Group("Start here", sort_key=0)
DATA = Group("Data", sort_key=1)
MODELS = Group("Models", sort_key=2)
PIPELINES = Group("Pipelines", sort_key=3)
SERVICES = Group("Services", sort_key=4)
SERVERS = Group("Servers", sort_key=5)

app = App(
    name="eartheye",
    version=__version__,
    help="""From satellite imagery to a served map.

    Every step reads finished folders and fills one; run again it does only what is missing. A folder is a path or `s3://bucket/prefix`.
    Servers are named by `EARTHEYE_*` variables; without any, everything runs in this process.
    """,
    help_format="markdown",
    help_epilogue="Try `eartheye demo`, then `eartheye COMMAND --help`.",
)

app.command("services.cli.demo:demo", group=START, help="Run the whole chain and write a report.")
app.command("services.cli.world:world", group=START, help="Make a small synthetic world to try things on.")

app.command("services.cli.data:cells", group=DATA, help="Describe the cells of the sampling grid: land cover, elevation, region.")
app.command("services.cli.data:sample", group=DATA, help="Draw stratified sites from the cells.")
app.command("services.cli.data:tile", group=DATA, help="Cut tiles and masks at the sites into LMDB shards.")
app.command("services.cli.data:curate", group=DATA, help="Drop poor and redundant tiles.")

app.command("services.cli.models:pretrain", group=MODELS, help="Pretrain a backbone on unlabelled tiles.")
app.command("services.cli.models:finetune", group=MODELS, help="Train a head on a frozen backbone.")
app.command("services.cli.models:evaluate", group=MODELS, help="Judge a backbone or a task model beside baselines.")
app.command("services.cli.models:export", group=MODELS, help="Export a task model to ONNX, with a parity check.")
app.command("services.cli.models:register", group=MODELS, help="Register a task model as a candidate.")
app.command("services.cli.models:deploy", group=MODELS, help="Put a version on the inference server and run its golden tile.")
app.command("services.cli.models:predict", group=MODELS, help="Map a scene here, in this process, without any server.")

app.command("services.cli.pipelines:pipeline", group=PIPELINES, help="Compile, run here or submit the chain.")

app.command("services.cli.services:promote", group=SERVICES, help="Ask that a version become the champion.")
app.command("services.cli.services:rollback", group=SERVICES, help="Ask for the champion before.")
app.command("services.cli.services:map", group=SERVICES, help="Ask for a map of a scene, and wait for it.")
app.command("services.cli.services:serve", group=SERVICES, help="Run a service, or all: registry, planner, worker, assembler, admin.")
app.command("services.cli.services:topics", group=SERVICES, help="Create the topics that the broker does not have yet.")
app.command("services.cli.buckets:buckets", group=SERVICES, help="Make the buckets that the object store does not have yet.")

database = App(name="database", group=SERVICES, help="Bring the platform's database to the schema of this release.")
database.command("services.cli.database:upgrade", help="Bring the database to the schema of this release.")
database.command("services.cli.database:status", help="Say which schema the database has.")
app.command(database)

app.command("services.cli.stack:stack", group=SERVERS, help="Start, look after and end the local servers.")

admin = App(name="admin", group=SERVICES, help="Give, list and revoke the keys of the admin service.")
key = App(name="key", help="Give, list and revoke API keys.")
key.command("services.cli.admin:create", help="Give an API key; its token is printed once.")
key.command("services.cli.admin:list_keys", name="list", help="List the API keys.")
key.command("services.cli.admin:revoke", help="End an API key for good.")
admin.command(key)
app.command(admin)


def main() -> None:
    """Run the command; a `UserError` is told in one line and ends with exit code 2."""
    try:
        configure_logs()
        app()
    except UserError as error:
        print(f"eartheye: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("eartheye: interrupted; run it again to go on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
