"""The MLflow UI of a working folder, on this machine: `python -m sweeps ui`, `make ui`.

Loopback is no border between the users of a machine, so that the server asks for a password, which is made
for this one run of it and printed.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from epropnp.command_line import parse, shown_as
from epropnp.errors import UserError
from epropnp.extras import require
from sweeps.tracking.address import address_in
from sweeps.tracking.experiment import ARTIFACTS, DATABASE, SQLITE, mend_places
from sweeps.tracking.views import ALL

PROG = "python -m sweeps ui"
USER = "admin"
HOST = "127.0.0.1"
START_SECONDS = 120.0  # a busy machine imports MLflow that long
# MLflow's assistant, which its server brings along, answers whoever comes from this machine.
OPEN = (
    "no password is asked for: every user of this machine can read, change and delete the runs, and through "
    "MLflow's assistant may run commands as you"
)
DESCRIPTION = """Show the runs that sweeps of a working folder have recorded, in the MLflow UI.

It listens on this machine's loopback interface alone; from elsewhere, forward the port:
  ssh -L 5000:127.0.0.1:5000 MACHINE
"""


@dataclass(frozen=True, kw_only=True)
class UiConfig:
    """What to show, and where."""

    out: Annotated[Path, shown_as("FOLDER")] = Path("runs")
    """Working folder of the sweeps, which has `mlflow.db`."""
    port: int = 5000
    """To listen on."""
    open: bool = False
    """Ask for no password: every user of this machine can then read, change and delete the runs, and through
    MLflow's assistant may run commands as you."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; exit code 2 for bad input, or a server that does not start."""
    try:
        config = parse(UiConfig, DESCRIPTION, sys.argv[1:] if arguments is None else arguments, PROG)
        require("the MLflow UI", "sweeps")
        serve(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def serve(config: UiConfig) -> None:
    """Start the server, say where it is once it answers, and wait for its end.

    Raises:
        UserError: nothing is recorded in the folder, or the server does not start.
    """
    database = config.out.resolve() / DATABASE
    if not database.is_file():
        raise UserError(
            f"no runs are recorded in {database} yet: run a sweep first, or name its folder: --out"
        )
    _check_port(config.port)
    mend_places(database, config.out.resolve() / ARTIFACTS)  # after a move
    words = ["server", "--host", HOST, "--port", str(config.port), "--workers", "1"]
    words += ["--backend-store-uri", f"{SQLITE}{database}", "--uvicorn-opts", "--log-level warning"]
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    password = None if config.open else secrets.token_urlsafe(12)
    with contextlib.ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlflow-")))  # of mode 700
        if password is not None:
            words += ["--app-name", "basic-auth"]
            environment |= _asking_for(password, own)
        log = own / "server.log"
        server = stack.enter_context(_running([sys.executable, "-m", "mlflow", *words], environment, log))
        _await(server, config.port, log)
        said = OPEN if password is None else f"user {USER}, password {password}"
        where = address_in(database, ALL, f"http://{HOST}:{config.port}")
        print(f"MLflow UI: {where} (Ctrl-C ends it)\n{said}", flush=True)
        server.wait()


def _check_port(port: int) -> None:
    """UserError where another process listens there, which the server would say much later."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise UserError(
                f"port {port} cannot be used ({error}): give another one by --port (make: UI_PORT=...)"
            ) from None


def _asking_for(password: str, folder: Path) -> dict[str, str]:
    """Environment of a server with one user, whose table of users lies in a private folder."""
    settings = folder / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndatabase_uri = {SQLITE}{folder / 'users.db'}\nadmin_username = {USER}\n"
        "default_permission = NO_PERMISSIONS\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
    }


@contextlib.contextmanager
def _running(
    words: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a group of its own, which ends with the block, its own processes too."""
    with log.open("w") as output:
        server = subprocess.Popen(
            words, env=environment, start_new_session=True, stdout=output, stderr=output
        )
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield server
    finally:
        signal.signal(signal.SIGTERM, before)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _await(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until it answers. UserError where it ends before, or takes too long."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < START_SECONDS:
        if server.poll() is not None:
            last = (log.read_text().strip() or "it said nothing").splitlines()[-1]
            raise UserError(
                f"the MLflow server ended ({last}): give another --port than {port}, if it is taken"
            )
        with contextlib.suppress(OSError):  # nobody listens yet
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):
                pass
            if server.poll() is None:
                return
        time.sleep(0.2)
    raise UserError(f"the MLflow server did not answer within {START_SECONDS:.0f} s")
