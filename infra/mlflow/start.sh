#!/usr/bin/env bash
# MLflow server that keeps its runs in PostgreSQL. Reachable from this machine only, unless told otherwise.
#
#   infra/mlflow/start.sh                       a private PostgreSQL, started here and stopped with the server
#   PGHOST=db PGUSER=mlflow infra/mlflow/start.sh   a PostgreSQL that runs elsewhere; its password comes from
#                                               PGPASSWORD or ~/.pgpass and never stands on a command line
#
# The private PostgreSQL listens on no port: a socket in a folder that only this user may enter.
#
#   MLFLOW_HOST      address to bind              127.0.0.1
#   MLFLOW_PORT      port                         5000
#   MLFLOW_DATA_DIR  artifacts, private database  runs/mlflow-server
#   MLFLOW_SERVER_ALLOWED_HOSTS  Host headers to accept when bound beyond loopback (read by MLflow)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

host=${MLFLOW_HOST:-127.0.0.1}
port=${MLFLOW_PORT:-5000}
mkdir -p "${MLFLOW_DATA_DIR:=runs/mlflow-server}"
data=$(realpath "$MLFLOW_DATA_DIR")
socket_dir=
server_pid=

fail() {
    echo "error: $*" >&2
    exit 2
}

find_mlflow() {
    if [ -x "${VENV:-.venv}/bin/mlflow" ]; then
        realpath -s "${VENV:-.venv}/bin/mlflow"
    else
        command -v mlflow || fail "mlflow not found; run make install EXTRAS=data,sweeps,infra first"
    fi
}

find_postgres() { # folder of the PostgreSQL server programs; Debian keeps them off PATH
    local found
    found=$(command -v initdb || find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] || fail "no PostgreSQL server found; install it, or set PGHOST to one that runs elsewhere"
    dirname "$(realpath "$found")"
}

start_private_postgres() {
    [ "$(id -u)" -ne 0 ] || fail "PostgreSQL refuses to run as root; run this as an ordinary user, or set PGHOST"
    postgres_bin=$(find_postgres)
    database=$data/postgres
    if [ ! -f "$database/PG_VERSION" ]; then
        "$postgres_bin/initdb" --pgdata "$database" --username mlflow --auth trust --encoding UTF8 >/dev/null
    fi
    socket_dir=$(mktemp -d "${TMPDIR:-/tmp}/mlflow-pg.XXXXXX") # mode 700: entering it is the authentication
    "$postgres_bin/pg_ctl" start --silent --wait --pgdata "$database" --log "$data/postgres.log" \
        --options "-c listen_addresses='' -c unix_socket_directories='$socket_dir'"
    export PGHOST=$socket_dir PGUSER=mlflow PGDATABASE=mlflow
    unset PGPORT PGPASSWORD
    "$postgres_bin/createdb" 2>/dev/null || "$postgres_bin/psql" --quiet --command 'SELECT 1' >/dev/null
}

stop() {
    if [ -n "$server_pid" ]; then
        kill -TERM "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    if [ -n "$socket_dir" ]; then
        "$postgres_bin/pg_ctl" stop --silent --pgdata "$database" --mode fast || true
        rm -rf "$socket_dir"
    fi
}

mlflow=$(find_mlflow)
trap stop EXIT
trap 'exit 0' INT TERM
[ -n "${PGHOST:-}" ] || start_private_postgres

case $host in
    127.* | localhost | ::1) ;;
    *) echo "warning: bound to $host; MLflow has no login, so keep port $port behind a firewall" >&2 ;;
esac

# libpq fills in host, user, database and password from the PG* variables.
export PGDATABASE=${PGDATABASE:-mlflow} PGUSER=${PGUSER:-mlflow}
export MLFLOW_BACKEND_STORE_URI=postgresql+psycopg://
# One worker answers fastest, and training needs no server-side jobs.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true
"$mlflow" server --host "$host" --port "$port" --workers 1 --artifacts-destination "$data/artifacts" &
server_pid=$!
wait "$server_pid"
