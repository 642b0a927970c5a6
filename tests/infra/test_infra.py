"""The deployment files are well formed, keep to loopback and hold no secrets."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
YAML_FILES = sorted(INFRA.rglob("*.yaml"))
SCRIPTS = [INFRA / "mlflow/start.sh", INFRA / "slurm/sweep.sbatch", ROOT / ".ci/run"]
MANIFESTS = sorted((INFRA / "ray").glob("*.yaml"))


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


def kubernetes_objects() -> list[dict[str, Any]]:
    return [item for file in MANIFESTS for item in documents(file) if "apiVersion" in item]


def containers() -> list[dict[str, Any]]:
    """Every container of the Kubernetes manifests, wherever its pod template stands."""

    def search(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for item in node for found in search(item)]
        if not isinstance(node, dict):
            return []
        return [*node.get("containers", []), *search(list(node.values()))]

    return search(kubernetes_objects())


@pytest.mark.parametrize("file", YAML_FILES, ids=lambda file: file.name)
def test_yaml_is_well_formed(file: Path) -> None:
    assert all(isinstance(document, dict) for document in documents(file))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_scripts_parse_and_stop_at_errors(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    assert "set -euo pipefail" in script.read_text()
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", script], check=True)


@pytest.mark.parametrize("script", [INFRA / "mlflow/start.sh", ROOT / ".ci/run"], ids=lambda file: file.name)
def test_scripts_are_executable(script: Path) -> None:
    assert os.access(script, os.X_OK)


def test_no_file_holds_a_secret() -> None:
    secret = re.compile(r"(password|token|secret)\s*[:=]\s*['\"]?(?P<value>[\w-]{6,})", re.IGNORECASE)
    for file in INFRA.rglob("*"):
        if file.is_file() and file.parent.name != "__pycache__":
            found = [match.group() for match in secret.finditer(file.read_text())]
            assert not found, f"{file.relative_to(ROOT)}: {found}"


def test_compose_publishes_on_loopback_only() -> None:
    services = documents(INFRA / "compose.yaml")[0]["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_demands_the_password_from_the_environment() -> None:
    services = documents(INFRA / "compose.yaml")[0]["services"]
    for service, variable in (("postgres", "POSTGRES_PASSWORD"), ("mlflow", "PGPASSWORD")):
        assert services[service]["environment"][variable].startswith("${MLFLOW_DB_PASSWORD:?")


def test_mlflow_binds_loopback_by_default() -> None:
    assert "host=${MLFLOW_HOST:-127.0.0.1}" in (INFRA / "mlflow/start.sh").read_text()


def test_mlflow_refuses_a_private_database_as_root(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root is refused")
    run = start_mlflow(tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith("error: PostgreSQL refuses to run as root")


def test_mlflow_gets_the_database_from_the_environment_alone(tmp_path: Path) -> None:
    """No password on a command line, where every user of the machine could read it."""
    fake = tmp_path / "venv/bin/mlflow"
    fake.parent.mkdir(parents=True)
    fake.write_text('#!/bin/sh\necho "$MLFLOW_BACKEND_STORE_URI" "$PGDATABASE" "$@"\n')
    fake.chmod(0o755)
    run = start_mlflow(tmp_path, VENV=str(tmp_path / "venv"), PGHOST="db.example", PGPASSWORD="hush")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("postgresql+psycopg:// mlflow server --host 127.0.0.1 --port 5000")
    assert "hush" not in run.stdout


def start_mlflow(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MLFLOW"))}
    return subprocess.run(
        [INFRA / "mlflow/start.sh"],
        env=clean | {"MLFLOW_DATA_DIR": str(folder / "data")} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ray_accepts_the_cluster_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = documents(INFRA / "ray/cluster.yaml")[0]
    validate_config(prepare_config(config))
    assert config["max_workers"] == config["min_workers"] == len(config["provider"]["worker_ips"])


def test_every_ray_cluster_checks_a_token() -> None:
    starts = documents(INFRA / "ray/cluster.yaml")[0]
    commands = starts["head_start_ray_commands"] + starts["worker_start_ray_commands"]
    assert all("RAY_AUTH_MODE=token" in line for line in commands if "ray start" in line)
    assert "RAY_AUTH_MODE=token" in (INFRA / "slurm/sweep.sbatch").read_text()
    cluster = next(item for item in kubernetes_objects() if item["kind"] == "RayCluster")
    assert cluster["spec"]["authOptions"] == {"mode": "token"}


def test_kubernetes_runs_the_pinned_ray() -> None:
    cluster = next(item for item in kubernetes_objects() if item["kind"] == "RayCluster")
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert f"ray=={cluster['spec']['rayVersion']}" in pins


def test_kubernetes_objects_fit_together() -> None:
    objects = kubernetes_objects()
    labels = [
        item["spec"]["template"]["metadata"]["labels"]
        for item in objects
        if "selector" in item["spec"] and "template" in item["spec"]
    ]
    for service in (item for item in objects if item["kind"] == "Service"):
        assert service["spec"]["selector"] in labels
    claims = {item["metadata"]["name"] for item in objects if item["kind"] == "PersistentVolumeClaim"}
    used = set(re.findall(r"claimName: ([\w-]+)", "".join(file.read_text() for file in MANIFESTS)))
    assert used == claims
    assert all({"name", "image", "resources"} <= set(container) for container in containers())


def test_images_copy_only_what_exists() -> None:
    dockerfile = (INFRA / "Dockerfile").read_text()
    ignored = (INFRA / "Dockerfile.dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source.startswith(rule[1:]) for rule in ignored if rule.startswith("!")), source
