"""Batches of an epoch, made by processes that end with the training, however that ends.

Loaders are forked from a server that has imported torch and done nothing else: neither CUDA nor threads come
with them, a further one starts in milliseconds, and all share the libraries' memory. Each watches a pipe to
the trainer: torch's own loaders watch the server, which waits for its loaders, and none of them would end.
"""

import signal
import sys
from multiprocessing import forkserver, popen_forkserver, resource_tracker
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from epropnp.data.dataset import Batch, CropDataset, Draw, EpochSampler
from epropnp.processes import ENDING, born_deaf, end_with_parent


class TrainingLoader(DataLoader[Batch]):
    """Whole batches only, as batch normalisation wants them. Worker processes live on between epochs.

    Args:
        dataset, sampler, batch_size: what makes a batch.
        workers: processes; 0: this one reads.
        pin: for copies to a device.
    """

    def __init__(
        self, dataset: CropDataset, sampler: EpochSampler, batch_size: int, *, workers: int, pin: bool
    ) -> None:
        super().__init__(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=pin,
            drop_last=len(sampler.indices) > batch_size,
            persistent_workers=workers > 0,
            multiprocessing_context=_started_server() if workers else None,
            worker_init_fn=_loader_started,
        )

    def close(self) -> None:
        """End the worker processes and wait for it; a further epoch starts new ones."""
        running, self._iterator = self._iterator, None
        if running is not None and self.num_workers:
            running._shutdown_workers()  # type: ignore[attr-defined]


def evaluation_loader(dataset: CropDataset, batch_size: int) -> DataLoader[Batch]:
    """All samples in order, read in this process."""
    draws: list[Draw] = [(0, index, index) for index in range(len(dataset))]
    # A loader draws a seed for its workers even where it has none: not from the training's random state.
    return DataLoader(
        dataset, batch_size=batch_size, sampler=draws, collate_fn=_as_it_is, generator=torch.Generator()
    )


class _Popen(popen_forkserver.Popen):
    """A handle of a loader that heeds no milder signal; whoever still waits for it must not wait for ever."""

    def terminate(self) -> None:
        self.kill()


class _LoaderProcess(ForkServerProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> _Popen:  # as multiprocessing calls it
        return _Popen(process_obj)


class _LoaderContext(ForkServerContext):
    Process = _LoaderProcess


def _started_server() -> _LoaderContext:
    """What starts loaders, their fork server running already."""
    context = _LoaderContext()
    context.set_forkserver_preload([__name__])
    with born_deaf():
        resource_tracker.ensure_running()
    with born_deaf():  # again: the line above unblocks signals
        forkserver.ensure_running()
    return context


def _as_it_is(batch: Any) -> Any:
    return batch  # `CropDataset.__getitems__` has made it


def _loader_started(worker: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # where somebody else had started the server
    end_with_parent()
    sys.excepthook = _shown_unless_alone
    cv2.setNumThreads(1)  # the work on one crop is too fine to be shared


def _shown_unless_alone(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """That the trainer has hung up is nothing new to whoever ended it; torch tells it of all other errors."""
    if not issubclass(kind, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)
