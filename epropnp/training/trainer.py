"""The one trainer of all trials. It knows no Ray and no MLflow: callbacks hear of each update and epoch.

All randomness is drawn from (seed, step) or (seed, epoch, position), never from running state, so that a
trial resumed at any step continues bit for bit as if it had not stopped (on a CPU; a GPU adds up some
gradients in no fixed order).
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch
from torch import Tensor

from epropnp.claims import claimed
from epropnp.data.dataset import Batch
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.evaluator import fit_temperatures, predict
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import mean_scores, score
from epropnp.files import replaced
from epropnp.inference.device import chosen_device
from epropnp.inference.model import portable
from epropnp.inference.poses import Inference, as_image
from epropnp.inference.precision import autocast
from epropnp.inference.temperature import Temperatures
from epropnp.losses.algebra import LossValue
from epropnp.models.network import CorrespondenceNet
from epropnp.models.pretrained import tensors_sha256
from epropnp.training.averages import counted, means
from epropnp.training.callbacks import Callback
from epropnp.training.checkpoint import Checkpoints, TrialState
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from epropnp.training.frames import EpochFrames
from epropnp.training.graphed import graphed
from epropnp.training.graphed_network import as_trained
from epropnp.training.guard import Guard, NonFiniteError
from epropnp.training.halt import HaltError, heed_stop
from epropnp.training.inference import inference_of
from epropnp.training.memory import memory_told
from epropnp.training.objective import Objective
from epropnp.training.optim import Updates
from epropnp.training.outcome import trial_result
from epropnp.training.record import Recorder, config_note
from epropnp.training.result import EpochReport, Metrics, StepReport, TrialResult
from epropnp.training.seeds import mixed_seed
from epropnp.training.usage import Usage

# The checkpoint with the highest values is tested; the later ones decide where a network is still so poor
# that the earlier ones are 0, and of equal ones the longest trained is taken.
SELECTION_METRICS = ("val/add_area", "val/mspd_ar", "val/add_auc_10cm")
OVERFLOWS = 20  # updates in a row that fp16 may lose to its search for a loss scale
CHECKPOINT_S = 300.0  # at least so often, within an epoch, too
Scored = tuple[Predictions, Metrics]


class Trainer:
    """Trains, validates and finally tests one configuration.

    Args:
        config: everything that determines the result.
        dataset: folder or URI of an Arrow dataset; it is checked before anything starts.
        work_dir: receives `checkpoint.pt`, `best.pt`, `validation.parquet`, `predictions.parquet` and
            `result.json`; a checkpoint found there is continued from.
        device: such as 'cuda' or 'cpu'; None takes an accelerator where there is one.
        keep_every: epochs between checkpoints that are kept (`epoch-NNNN.pt`); 0: only the last and the best.
        checkpoint_s: seconds between checkpoints within an epoch.
        cores: that the trial has; None: all of this process.

    Attributes:
        parameters: of the network, their number.

    Raises:
        UserError: an unusable configuration, dataset or checkpoint.
    """

    def __init__(
        self,
        config: TrialConfig,
        dataset: Path | str,
        work_dir: Path,
        device: str | None = None,
        keep_every: int = 0,
        checkpoint_s: float = CHECKPOINT_S,
        cores: int | None = None,
    ) -> None:
        self.config, self.work_dir, self.device = config, work_dir, chosen_device(device)
        cv2.setNumThreads(1)  # the loader's work is too fine for OpenCV's own threads
        torch.set_num_threads(config.threads)
        torch.manual_seed(mixed_seed(config.seed))
        self.data = TrialData(config, dataset, self.device, cores)
        header = config_note(config, self.data.dataset.dataset_id)
        self.checkpoints = Checkpoints(work_dir, header, keep_every, checkpoint_s)
        self.recorder = Recorder(work_dir, config, self.device, self.data)
        # Weights that a checkpoint will replace are not asked for again.
        start = config.model.bare if self.checkpoints.last.exists() else config.model
        self.net = CorrespondenceNet(start).to(self.device).to(memory_format=torch.channels_last)
        self.parameters = sum(p.numel() for p in self.net.parameters())
        self.state = TrialState()
        if start.starts_from_weights:
            self.state.weights_sha256 = tensors_sha256(self.net.backbone.state_dict())
        norm_factor = (self.net.released and self.net.released.norm_factor) or 1.0
        self.objective = Objective(config, self.data.dataset.objects, norm_factor).to(self.device)
        self._loss = graphed(self.objective, self.device)
        self.updates = Updates(self.net, self.objective, config.optim, self.data.steps)
        self.guard = Guard([self.net, self.objective], config.optim.skips(self.data.steps))
        self._since, self._usage = time.monotonic(), Usage(self.device)
        self._sums: dict[str, Tensor] = {}  # of the metrics of this epoch's updates; stay on the device
        self._predict = as_trained(self.net, config)
        self._callbacks: Sequence[Callback] = ()
        self.frames = EpochFrames(work_dir, self.data)

    def fit(self, callbacks: Sequence[Callback] = ()) -> TrialResult:
        """Train to the end, from the last checkpoint if there is one, and test the best weights once.

        Raises:
            NonFiniteError: losses or gradients are not finite more often than the config allows.
            HaltError: there is a file `stop` in the folder, or a callback said so; a checkpoint is written.
            UserError: a checkpoint cannot be read or written; another process trains here; no memory is left.
        """
        told = memory_told(self.config, self.device)
        with claimed(self.work_dir), self.recorder.recording(), told, self.data:
            return self._fit(callbacks)

    def _fit(self, callbacks: Sequence[Callback]) -> TrialResult:
        self._restore()
        self.recorder.note(self.state.history)
        self._callbacks = callbacks
        for callback in callbacks:
            callback.on_start(self)
        self._since = time.monotonic()
        heed_stop(self.work_dir)
        for epoch in range(self.state.epoch + 1, self.config.optim.epochs + 1):
            metrics = self._train_epoch(epoch, callbacks) if epoch else {}
            predictions = predict(self._inference, self.data.epoch_images(), None, self._tell_scored)
            found = score(predictions, self.data.dataset.objects, self.data.cores)
            metrics |= {f"val/{k}": v for k, v in found.items()}
            self.frames.add(epoch, self._inference, predictions, found)
            report = self._finish_epoch(epoch, metrics)
            for callback in callbacks:
                callback.on_epoch(report)
            heed_stop(self.work_dir)
        return self._finish()

    def _train_epoch(self, epoch: int, callbacks: Sequence[Callback]) -> Metrics:
        """One pass over the training split, from update `state.step` on; `epoch` counts from 1."""
        self.net.train()
        self.objective.train()
        while True:
            for parts in self.data.batches(epoch, self.state.step):
                loss = self._update(parts, (epoch - 1) * self.data.steps + self.state.step)
                self.state.step += 1
                self._tell_step(epoch, loss, callbacks)
                if self.checkpoints.due and self.state.step < self.data.steps:
                    self._save()
            if self._sums or not 0 < self.state.overflows < OVERFLOWS:
                break
            self.state.step = 0  # a short epoch, all lost to fp16's search for a loss scale, begins again
        if not self._sums:
            raise NonFiniteError(
                f"none of the {self.data.steps} updates of epoch {epoch} was finite; lower the learning rate"
            )
        return means(self._sums) | {"train/skipped": float(self.state.skipped)}

    def _tell_step(self, epoch: int, loss: Tensor, callbacks: Sequence[Callback]) -> None:
        """Tell of an update, and end the training after it where that is wanted."""
        state, steps = self.state, self.data.steps
        report = StepReport(epoch=epoch, step=state.step, steps=steps, loss=loss, skipped=state.skipped)
        try:
            for callback in callbacks:
                callback.on_step(report)
            heed_stop(self.work_dir)
        except HaltError:
            self._save()
            raise

    def _update(self, parts: Sequence[Batch], step: int) -> Tensor:
        """One update, counted from 0 over the whole training; returns its loss."""
        self.guard.remember()
        rate = self.updates.start(step)
        self.objective.start(step / (self.config.optim.epochs * self.data.steps))
        losses = [self._part_loss(batch, step * len(parts) + i) for i, batch in enumerate(parts)]
        norm = self.updates.clip()
        values = torch.stack([loss.total.detach() for loss in losses])
        finite_loss, finite_norm = torch.stack([values.isfinite().all(), norm.isfinite()]).tolist()
        overflow = finite_loss and not finite_norm and self.updates.scaler.is_enabled()
        self.state.overflows = self.state.overflows + 1 if overflow else 0
        if finite_loss and finite_norm:
            self.updates.apply(step)
            self._sums = counted(self._sums, losses, norm, rate)
        else:
            self.updates.leave_out()
            if not 0 < self.state.overflows < OVERFLOWS:  # else a smaller scale mends it
                names = [name for batch in parts for name in self.data.names(batch)]
                self.guard.refuse(losses, norm, names, step, self.state.skipped)
                self.state.skipped += 1
        return values.mean()

    def _part_loss(self, batch: Batch, draw: int) -> LossValue:
        """Loss of a part of a batch, whose gradient is added; `draw` numbers its random choices."""
        seed = mixed_seed(self.config.seed, draw)
        torch.manual_seed(seed)  # dropout and stochastic depth
        generator = torch.Generator(self.device).manual_seed(seed)
        with autocast(self.device, self.config.optim.precision):
            prediction = self._predict(as_image(batch.image))
        loss = self._loss(prediction, batch, generator)
        self.updates.backward(loss.total)
        return loss

    @property
    def _inference(self) -> Inference:
        return inference_of(self.updates.evaluated, self.objective.layer, self.config)

    def _test(self, split: str, file: Path, temperatures: Temperatures | None = None) -> Scored:
        """Score all of a split; the predictions are kept, and their errors beside them."""
        predictions = predict(self._inference, self.data.evaluation(split), temperatures, self._tell_scored)
        with replaced(file) as unfinished:
            predictions.write(unfinished)
        errors = errors_beside(predictions, self.data.dataset.objects, file, self.data.cores)
        return predictions, mean_scores(errors)

    def _tell_scored(self) -> None:
        """Tell of a batch that was evaluated, and end the training after it where that is wanted."""
        try:
            for callback in self._callbacks:
                callback.on_scored()
            heed_stop(self.work_dir)
        except HaltError:
            if self.state.step:  # the epoch's updates are made, and not saved yet
                self._save()
            raise

    def _finish_epoch(self, epoch: int, metrics: Metrics) -> EpochReport:
        """Note an epoch's metrics, and save everything."""
        state = self.state
        state.epoch, state.step, self._sums = epoch, 0, {}
        self._tick()
        state.history.append(metrics | {"time/seconds": state.seconds} | self._usage.since_last())
        quality = [[past[name] for name in SELECTION_METRICS] for past in state.history]
        is_best = quality[-1] == max(quality)
        state.best_epoch = epoch if is_best else state.best_epoch
        evaluated = {"net": self.updates.evaluated.state_dict(), "objective": self.objective.state_dict()}
        self.checkpoints.keep(evaluated | portable(self.data.dataset.objects), epoch, is_best)
        self._save()
        self.recorder.note(state.history)
        return EpochReport(
            epoch=epoch,
            epochs=self.config.optim.epochs,
            metrics=state.history[-1],
            seconds=state.seconds,
            checkpoint=self.checkpoints.last,
        )

    def _finish(self) -> TrialResult:
        best, saved = self.updates.evaluated, self.checkpoints.load_best()
        best.load_state_dict(saved["net"])
        self.objective.load_state_dict(saved["objective"])
        predictions, validation = self._test("validation", self.work_dir / "validation.parquet")
        images, temperatures = self.data.evaluation("validation"), None
        if self.config.evaluation.temperature == "validation":
            temperatures = fit_temperatures(self._inference, images, predictions, self._tell_scored)
            self.checkpoints.complete(saved, {"temperatures": dataclasses.asdict(temperatures)})
        predictions, test = self._test("test", self.work_dir / "predictions.parquet", temperatures)
        result = trial_result(
            self.config, self.data, self.state, self.parameters, validation, predictions, test
        )
        self.frames.animate()
        with replaced(self.work_dir / "result.json") as file:
            file.write_text(result.to_json())
        return result

    def _tick(self) -> None:
        """Add the time since the last call to that of the trial."""
        now = time.monotonic()
        self.state.seconds += now - self._since
        self._since = now

    def _save(self) -> None:
        self._tick()
        self.checkpoints.save(
            {
                "net": self.net.state_dict(),
                "objective": self.objective.state_dict(),
                "updates": self.updates.state_dict(),
                "state": dataclasses.asdict(self.state),
                "sums": self._sums,
            }
        )

    def _restore(self) -> None:
        if (saved := self.checkpoints.load()) is None:
            return
        self.net.load_state_dict(saved["net"])
        self.objective.load_state_dict(saved["objective"])
        self.updates.load_state_dict(saved["updates"])
        self.state = TrialState(**saved["state"])
        self._sums = {name: value.to(self.device) for name, value in saved["sums"].items()}
