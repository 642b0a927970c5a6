"""The one trainer of all trials. It knows no Ray and no MLflow: it reports each epoch to a callback.

All randomness is drawn from (seed, step) or (seed, epoch, position), never from running state, so that a
resumed trial continues bit for bit as if it had not stopped.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from epropnp.data.dataset import Batch, CropDataset, EpochSampler, training_loader
from epropnp.data.format import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import score
from epropnp.models.network import CorrespondenceNet
from epropnp.training.checkpoint import load_checkpoint, save_checkpoint
from epropnp.training.config import TrialConfig, config_hash, to_dict
from epropnp.training.evaluator import as_image, predict
from epropnp.training.objective import Objective
from epropnp.training.optim import learning_rate, make_optimiser
from epropnp.training.precision import autocast
from epropnp.training.result import EpochReport, Metrics, TrialResult

SELECTION_METRIC = "val/add_area"  # the checkpoint with its highest value is tested
OnEpoch = Callable[[EpochReport], None]


class NonFiniteError(UserError):
    """A loss or gradient became infinite or NaN; training on would be meaningless."""


@dataclass
class TrialState:
    """How far a trial has come; saved with the weights."""

    epoch: int = -1  # the last one reported; 0 is the evaluation before training
    seconds: float = 0.0
    best_epoch: int = -1
    history: list[Metrics] = field(default_factory=list)


class Trainer:
    """Trains, validates and finally tests one configuration.

    Args:
        config: everything that determines the result.
        dataset: folder or URI of an Arrow dataset; it is checked before anything starts.
        work_dir: receives `checkpoint.pt`, `best.pt`, `predictions.parquet` and `result.json`; a checkpoint
            found there is continued from.
        device: such as 'cuda' or 'cpu'; None takes an accelerator where there is one.

    Raises:
        UserError: an unusable configuration, dataset or checkpoint.
    """

    def __init__(
        self, config: TrialConfig, dataset: Path | str, work_dir: Path, device: str | None = None
    ) -> None:
        self.config, self.work_dir = config, work_dir
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        cv2.setNumThreads(1)  # the loader's work is too fine for OpenCV's own threads
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.dataset = ArrowDataset.verified(dataset)
        train_data = self._crops("train", augmented=True)
        self._crops("test")  # whatever is wrong with it is said now, not after training
        self.sampler = EpochSampler(_visits(train_data, config.data.real_repeats), seed=config.seed)
        self.batches = training_loader(
            train_data,
            self.sampler,
            config.optim.batch_size,
            workers=config.data.workers,
            pin=self.device.type == "cuda",
        )
        self.net = CorrespondenceNet(config.model).to(self.device).to(memory_format=torch.channels_last)
        self.objective = Objective(config).to(self.device)
        self.optimiser = make_optimiser([self.net, self.objective], config.optim)
        self.steps_per_epoch = len(self.batches)
        self.state = TrialState()

    @property
    def parameters(self) -> int:
        """Number of parameters of the network."""
        return sum(p.numel() for p in self.net.parameters())

    def fit(self, on_epoch: OnEpoch | None = None) -> TrialResult:
        """Train to the end, from the last checkpoint if there is one, and test the best weights once.

        Raises:
            NonFiniteError: a loss term or the gradient is not finite.
        """
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self._restore()
        for epoch in range(self.state.epoch + 1, self.config.optim.epochs + 1):
            started = time.monotonic()
            metrics = self._train_epoch(epoch) if epoch else {}
            metrics |= {f"val/{k}": v for k, v in self._score("validation")[1].items()}
            self.state.epoch = epoch
            self.state.seconds += time.monotonic() - started
            metrics["time/seconds"] = self.state.seconds
            self.state.history.append(metrics)
            self._save()
            if on_epoch is not None:
                on_epoch(self._report(metrics))
        return self._finish()

    def _train_epoch(self, epoch: int) -> Metrics:
        """One pass over the training split; `epoch` counts from 1."""
        self.net.train()
        self.objective.train()
        settings = self.config.optim
        self.sampler.epoch = epoch
        sums: dict[str, Tensor] = {}
        first = (epoch - 1) * self.steps_per_epoch
        for step, batch in enumerate(self.batches, start=first):
            rate = learning_rate(settings, step, self.steps_per_epoch)
            for name, value in self._train_step(batch.to(self.device), step, rate).items():
                sums[name] = sums.get(name, 0) + value  # stays on the device
        metrics = {f"train/{name}": float(total) / self.steps_per_epoch for name, total in sums.items()}
        return metrics | {"train/lr": rate}

    def _train_step(self, batch: Batch, step: int, rate: float) -> dict[str, Tensor]:
        seed = (self.config.seed << 32) + step
        torch.manual_seed(seed)  # dropout and stochastic depth
        generator = torch.Generator(self.device).manual_seed(seed)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with autocast(self.device, self.config.optim.precision):
            prediction = self.net(as_image(batch.image))
        terms = self.objective(prediction, batch, generator)
        loss = self.objective.total(terms)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        limit = self.config.optim.clip_norm or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), limit)
        self._check_finite(torch.stack([loss.detach(), norm]), terms, step)
        self.optimiser.step()
        named = {f"loss_{name}": term.detach() for name, term in terms.items()}
        return {"loss": loss.detach(), "grad_norm": norm, **named}

    def _check_finite(self, values: Tensor, terms: dict[str, Tensor], step: int) -> None:
        if bool(values.isfinite().all()):
            return
        listed = ", ".join(f"{name} {float(term.detach()):.4g}" for name, term in terms.items())
        raise NonFiniteError(
            f"{self.config.model.backbone}: loss or gradient is not finite at step {step} "
            f"({listed}; gradient norm {float(values[1]):.4g}); lower the learning rate, or clip gradients"
        )

    def _score(self, split: str) -> tuple[Predictions, Metrics]:
        predictions = predict(self.net, self.objective.layer, self._crops(split), self.config)
        return predictions, score(predictions, self.dataset.objects)

    def _finish(self) -> TrialResult:
        self.net.load_state_dict(load_checkpoint(self.work_dir / "best.pt")["net"])
        predictions, test = self._score("test")
        predictions.write(self.work_dir / "predictions.parquet")
        history = self.state.history
        model = self.config.model
        result = TrialResult(
            backbone=model.backbone,
            head=model.head,
            loss_weight=self.config.loss.mc,
            pretrained=model.pretrained,
            parameters=self.parameters,
            seconds=self.state.seconds,
            epochs=self.config.optim.epochs,
            best_epoch=self.state.best_epoch,
            seed=self.config.seed,
            config_hash=config_hash(self.config),
            dataset_id=self.dataset.dataset_id,
            test_images=len(predictions.sample_id),
            val_before=_validation(history[0]),
            val_after=_validation(history[self.state.best_epoch]),
            test=test,
            train_loss=[metrics["train/loss"] for metrics in history[1:]],
            val_add=[metrics["val/add_0.10d"] for metrics in history],
        )
        (self.work_dir / "result.json").write_text(result.to_json())
        return result

    def _report(self, metrics: Metrics) -> EpochReport:
        return EpochReport(
            epoch=self.state.epoch,
            epochs=self.config.optim.epochs,
            metrics=metrics,
            seconds=self.state.seconds,
            checkpoint=self.work_dir / "checkpoint.pt",
        )

    def _save(self) -> None:
        history = [metrics[SELECTION_METRIC] for metrics in self.state.history]
        header = {"config": to_dict(self.config), "dataset_id": self.dataset.dataset_id}
        weights = {"net": self.net.state_dict(), **header}
        if max(history) > max(history[:-1], default=float("-inf")):
            self.state.best_epoch = self.state.epoch
            save_checkpoint(self.work_dir / "best.pt", weights)
        going_on: dict[str, Any] = {
            "objective": self.objective.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "state": dataclasses.asdict(self.state),
        }
        save_checkpoint(self.work_dir / "checkpoint.pt", weights | going_on)

    def _restore(self) -> None:
        path = self.work_dir / "checkpoint.pt"
        if not path.exists():
            return
        saved = load_checkpoint(path)
        for what, mine in (
            ("config", to_dict(self.config)),
            ("dataset_id", self.dataset.dataset_id),
        ):
            if saved[what] != mine:
                raise UserError(
                    f"{path} is of another {what}: use another folder, or delete it to start over"
                )
        self.net.load_state_dict(saved["net"])
        self.objective.load_state_dict(saved["objective"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.state = TrialState(**saved["state"])

    def _crops(self, split: str, augmented: bool = False) -> CropDataset:
        return CropDataset(
            self.dataset,
            split,
            input_px=self.config.model.input_px,
            map_px=self.config.model.map_px,
            config=self.config.data.augment if augmented else None,
            seed=self.config.seed,
            boxes=self.config.evaluation.test_boxes if split == "test" else "true",
            noise=self.config.evaluation.detector,
        )


def _visits(data: CropDataset, real_repeats: int) -> np.ndarray:
    """Rows of the training split as one epoch visits them: photographs `real_repeats` times."""
    return np.repeat(np.arange(len(data)), np.where(data.records.column("synthetic"), 1, real_repeats))


def _validation(metrics: Metrics) -> Metrics:
    return {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")}
