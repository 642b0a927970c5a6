"""Everything that needs a GPU, in one command and one report: `make gpu-check`.

Runs the tests marked `gpu` (results equal to the CPU's, half precision near float32, no waits for the device)
and all benchmarks, prints as they run, and writes what they said to `gpu-report.md`. The exit status is 1 if
a test or a benchmark failed, and 0 where there is no GPU.
"""

import platform
import shlex
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

ROOT = Path(__file__).parents[2]
BENCHES = ("pnp_layer.py", "training_step.py", "rendering.py", "dataset_reading.py")
NO_GPU = (
    "gpu-check: no CUDA device here, nothing was run; on a machine with one, it runs the tests marked gpu "
    "(CPU and GPU agree, half precision, no waits) and all benchmarks"
)


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """Where the report goes."""

    out: Path = Path("runs")
    """Folder that receives `gpu-report.md`."""


@dataclass(frozen=True)
class Section:
    """What one command did: `verdict` in a few words, `details` as it printed them."""

    title: str
    passed: bool
    verdict: str
    details: str

    def markdown(self) -> str:
        """Heading, verdict and details of the report."""
        mark = "passed" if self.passed else "FAILED"
        return f"## {self.title}: {mark}\n\n{self.verdict}\n\n```\n{self.details.strip()}\n```\n"


def spoken(command: Sequence[str]) -> tuple[int, str]:
    """Exit status and output of a command, which is printed as it comes."""
    print(f"$ {shlex.join(command)}", flush=True)
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode, "".join(lines)


def run_tests(selection: Sequence[str]) -> Section:
    """The tests that pytest selects. That none of them ran to its end is a failure, too."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "tests.xml"
        status, _ = spoken([sys.executable, "-m", "pytest", "-q", f"--junitxml={record}", *selection])
        cases = list(ElementTree.parse(record).iter("testcase")) if record.exists() else []
    outcomes = {f"{case.get('classname')}.{case.get('name')}": _outcome(case) for case in cases}
    counts = {kind: list(outcomes.values()).count(kind) for kind in ("passed", "failed", "skipped")}
    return Section(
        "Tests",
        status == 0 and counts["passed"] > 0,
        ", ".join(f"{count} {kind}" for kind, count in counts.items()),
        "\n".join(f"{outcome:8s} {name}" for name, outcome in outcomes.items()) or "no test was found",
    )


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def run_bench(script: Path) -> Section:
    """One benchmark, with its default settings."""
    start = time.monotonic()
    status, text = spoken([sys.executable, str(script)])
    verdict = f"{time.monotonic() - start:.0f} s" + (f", exit status {status}" if status else "")
    return Section(script.stem.replace("_", " ").capitalize(), status == 0, verdict, text)


def machine() -> str:
    """Device, driver and versions, one per line."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        driver = "unknown (nvidia-smi does not say)"
    device = torch.cuda.get_device_properties(0)
    lines = {
        "Device": f"{device.name}, {device.total_memory / 2**30:.0f} GiB, compute capability "
        f"{device.major}.{device.minor}",
        "Driver": driver,
        "torch": f"{torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
        "Python": f"{platform.python_version()}, {platform.platform()}",
    }
    return "\n".join(f"- {name}: {value}" for name, value in lines.items())


def report(about: str, sections: Sequence[Section]) -> str:
    """All of it as Markdown, the verdict first."""
    failed = [section.title for section in sections if not section.passed]
    verdict = f"FAILED: {', '.join(failed)}" if failed else "Everything passed."
    return "\n".join(["# GPU check\n", f"{verdict}\n", f"{about}\n", *(s.markdown() for s in sections)])


def main(config: CheckConfig) -> int:
    if not torch.cuda.is_available():
        print(NO_GPU)
        return 0
    sections = [run_tests(["-m", "gpu", "tests"])]
    sections += [run_bench(ROOT / "tests" / "bench" / name) for name in BENCHES]
    text = report(machine(), sections)
    config.out.mkdir(parents=True, exist_ok=True)
    path = config.out / "gpu-report.md"
    path.write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {path}")
    return int(not all(section.passed for section in sections))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(CheckConfig, description=__doc__)))
