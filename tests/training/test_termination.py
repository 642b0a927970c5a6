"""What a training makes of signals: the first one ends it after an update, the second one at once."""

import os
import signal
from collections.abc import Iterator

import pytest
import torch

from epropnp.training.halt import InterruptionError, TerminatedError
from epropnp.training.result import EpochReport, StepReport
from epropnp.training.termination import Termination

STEP = StepReport(epoch=1, step=1, steps=4, loss=torch.tensor(1.0), skipped=0)


def epoch(number: int, tmp_path_factory: pytest.TempPathFactory) -> EpochReport:
    checkpoint = tmp_path_factory.getbasetemp() / "checkpoint.pt"
    return EpochReport(epoch=number, epochs=3, metrics={}, seconds=1.0, checkpoint=checkpoint)


@pytest.fixture
def termination() -> Iterator[Termination]:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with Termination() as heeding:
        yield heeding
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_before_the_training_a_signal_ends_at_once(
    number: signal.Signals, code: int, termination: Termination
) -> None:
    with pytest.raises(TerminatedError, match=rf"^{number.name}$") as found:
        send(number)
    assert found.value.code == code


def test_while_training_it_is_heeded_after_the_update(termination: Termination) -> None:
    termination.on_start(None)  # type: ignore[arg-type]
    termination.on_step(STEP)
    send(signal.SIGTERM)
    with pytest.raises(InterruptionError, match=r"^by SIGTERM$"):
        termination.on_step(STEP)
    assert termination.ended.code == 143


def test_or_after_the_evaluation(termination: Termination, tmp_path_factory: pytest.TempPathFactory) -> None:
    termination.on_start(None)  # type: ignore[arg-type]
    termination.on_epoch(epoch(2, tmp_path_factory))
    send(signal.SIGHUP)
    with pytest.raises(InterruptionError, match=r"^by SIGHUP$"):
        termination.on_epoch(epoch(3, tmp_path_factory))


def test_the_second_one_ends_at_once(termination: Termination) -> None:
    termination.on_start(None)  # type: ignore[arg-type]
    send(signal.SIGTERM)
    with pytest.raises(TerminatedError, match=r"^SIGHUP$"):
        send(signal.SIGHUP)


def test_in_the_test_all_is_written_already(
    termination: Termination, tmp_path_factory: pytest.TempPathFactory
) -> None:
    termination.on_start(None)  # type: ignore[arg-type]
    termination.on_epoch(epoch(3, tmp_path_factory))
    with pytest.raises(TerminatedError, match=r"^SIGTERM$"):
        send(signal.SIGTERM)


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Termination():
            send(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
