"""What the sweep answers Ray, which is made up, tells listeners and search, and what folders say then."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.running import trials as module
from sweeps.running.session import RayGoneError
from sweeps.running.trials import trial_spec
from sweeps.search.grid import Grid
from sweeps.search.search import Planned
from tests.sweeps.running.listening import Ear, Told, World

HISTORY = ({"val/add_area": 1.0}, {"val/add_area": 2.0})
Prepare = Callable[[Planned], Path]


@pytest.fixture
def heard() -> list[Any]:
    return []


@pytest.fixture
def world(trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]) -> World:
    """Its listeners and the search write down what they are told."""
    listeners = [Ear(heard, "first"), Ear(heard, "second")]
    return World(Told(trials, heard), prepare, tmp_path, listeners)


@pytest.fixture
def names(trials: tuple[Planned, ...]) -> list[str]:
    return [trial.name for trial in trials]


def own(heard: list[Any], who: str = "first") -> list[Any]:
    """What one of them was told."""
    return [event[1:] for event in heard if event[0] == who]


def finish(folder: Path, result: TrialResult) -> None:
    (folder / "result.json").write_text(result.to_json())


def doing(action: Callable[[], Any], message: Any = None) -> Callable[[], Any]:
    """Something happens, then this is said."""

    def say() -> Any:
        action()
        return message

    return say


ASK = ("ask",)


@pytest.mark.parametrize("updates", [None, 2])
def test_each_trial_is_asked_for_in_turn_and_run_in_its_own_folder(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, updates: int | None
) -> None:
    world = World(Grid(trials), prepare, tmp_path, updates=updates)
    one, two = trials[:2]

    def second() -> Any:
        assert (tmp_path / one.name / "trial.json").is_file()
        assert not (tmp_path / two.name).exists()  # made when it is asked for
        return ASK

    world.run(ASK, second)
    command, *specs = world.ray.answers
    assert command == ({"cpu": 5, "gpu": 0.5}, tmp_path / "ray")
    assert specs == [
        trial_spec(t.name, t.config, "s3://lm", tmp_path / t.name, tmp_path / "stop", updates)
        for t in (one, two)
    ]


def test_no_more_trials_run_at_once_than_there_are_shares_for(world: World, names: list[str]) -> None:
    ended = [("ended", name, None, None) for name in names]
    world.run(ASK, ASK, ASK, ASK, ended[1], ASK, ASK, ended[0], ended[2], ASK, ended[3], ASK)
    a, b, c, d = names
    assert world.asked == [a, b, c, None, d, None, None, "finished"]


def test_a_search_that_waits_for_others_to_end_is_asked_again(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path
) -> None:
    answers = [None, trials[2], None]
    search: Any = SimpleNamespace(done=False, ask=lambda: answers.pop(0), tell=lambda trial: None)
    world = World(search, prepare, tmp_path)
    done = doing(lambda: setattr(search, "done", True), ASK)
    world.run(ASK, ASK, ASK, done, ("ended", trials[2].name, None, None), ASK)
    assert world.asked == [None, trials[2].name, None, None, "finished"]


@pytest.mark.parametrize("how", ["signal", "file"])
def test_what_ends_the_sweep_interrupts_what_runs_and_starts_no_other_trial(
    world: World, names: list[str], heard: list[Any], how: str
) -> None:
    def told() -> None:
        world.flag("SIGTERM") if how == "signal" else world.stop_file.write_text("by hand")

    def stopped() -> None:
        assert world.stop_file.read_text() == ("SIGTERM" if how == "signal" else "by hand")

    world.run(
        ASK, ("started", names[0]), doing(told), ASK, doing(stopped), ("ended", names[0], None, None), ASK
    )
    assert world.asked == [names[0], None, "finished"]
    assert own(heard)[-1] == ("ended", names[0], "waiting", None)


def test_trials_that_do_not_end_when_they_are_told_are_not_waited_for(
    world: World, names: list[str], heard: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    world.flag("SIGTERM")
    later = [doing(partial(now.__setitem__, 0, t)) for t in (109.9, 110.1)]
    world.ray.script.extend([ASK, None, *later])
    world.trials._running.update(names[:1])
    world.trials._folders[names[0]] = world.folder / "none"
    with pytest.raises(RayGoneError, match="1 trials did not end within 10 s"):
        world.run()
    assert len(world.ray.script) == 1


def test_at_the_second_ctrl_c_nothing_is_waited_for(world: World) -> None:
    world.flag("SIGINT")
    world.flag("SIGINT")
    with pytest.raises(RayGoneError):
        world.run(None, None)
    assert len(world.ray.script) == 2


def test_batch_systems_may_say_it_twice(world: World) -> None:
    world.flag("SIGTERM")
    world.flag("SIGTERM")
    world.run(None, None)


def test_a_ray_of_which_no_node_lives_is_left_after_a_minute(
    world: World, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    world.trials._alive_s = 0.0

    def at(seconds: float, message: Any = None) -> Any:
        return doing(lambda: now.__setitem__(0, seconds), message)

    alive, dead = ("alive", 1), ("alive", 0)
    report = ("reported", names[0], {"epoch": 0, "metrics": {}}, None)
    with pytest.raises(RayGoneError, match="no node of it was heard of for 60 s"):
        world.run(at(59, alive), at(110, dead), at(118, report), at(170, dead), at(177), at(179), None)
    assert len(world.ray.script) == 2


def test_an_error_of_ray_tune_is_rays_end(world: World) -> None:
    world.ray.script.append(("over", "no space left on device"))
    with pytest.raises(RayGoneError, match="no space left on device"):
        world.trials.run(world.folder)


def test_a_folder_that_cannot_be_made_is_the_users_error_and_the_others_are_interrupted(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]
) -> None:
    def full(planned: Planned) -> Path:
        if planned is trials[1]:
            raise UserError("free some space")
        return prepare(planned)

    world = World(Grid(trials), full, tmp_path, [Ear(heard)])
    name = trials[0].name
    with pytest.raises(UserError, match="free some space"):
        world.run(ASK, ("started", name), ASK, ASK, ("ended", name, None, None), ASK)
    assert world.stop_file.exists()
    assert world.asked == [name, None, "finished"]
    assert heard[-1] == ("ended", name, "waiting", None)


def test_listeners_are_told_in_their_order_and_then_the_search(
    world: World, names: list[str], heard: list[Any], result: TrialResult
) -> None:
    name = names[0]
    world.run(
        ASK,
        ("started", name),
        ("reported", name, {"epoch": 0, "metrics": {}}, None),
        ("reported", name, {"seconds_per_epoch": 85.0}, None),
        ("reported", name, {"doing": "running", "epoch": 0, "step": 40, "steps": 100}, None),
        ("reported", name, {"failed": "diverged"}, None),
        doing(lambda: finish(world.folder / name, result), ("ended", name, None, None)),
    )
    assert (
        own(heard, "first")
        == own(heard, "second")
        == [
            ("started", name),
            ("reported", name, 0),
            ("paced", name, 85.0),
            ("stepped", name, 0, 40),
            ("ended", name, "finished", None),
        ]
    )
    assert [event[0] for event in heard[-3:]] == ["first", "second", "search"]
    assert own(heard, "search") == [("ended", name, "finished", None)]


def test_a_listener_that_fails_takes_nothing_from_the_others(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]
) -> None:
    """A terminal that was closed, for example."""

    class Deaf(Ear):
        def started(self, trial: str) -> None:
            raise OSError(5, "Input/output error")

    world = World(Told(trials, heard), prepare, tmp_path, [Deaf(), Ear(heard, "second")])
    name = trials[0].name
    world.run(ASK, ("started", name), ("ended", name, None, None))
    assert own(heard, "second") == [("started", name), ("ended", name, "waiting", None)]


def test_each_end_is_that_of_its_trial(
    world: World, names: list[str], heard: list[Any], result: TrialResult
) -> None:
    a, b, c, _ = names

    def write() -> None:
        for name in (a, b, c):
            Record(status="running", history=HISTORY).write(world.folder / name)
        finish(world.folder / a, result)

    # They end in another order than they began.
    world.run(
        *(ASK, ASK, ASK, ("started", a), ("started", b), ("started", c)),
        doing(write, ("reported", c, {"failed": "loss is not finite"}, None)),
        *(("ended", c, None, None), ("ended", a, "Traceback\n  x\nMemoryError: too large", None)),
        ("ended", b, None, None),
    )
    assert own(heard)[3:] == [
        ("ended", c, "failed", "loss is not finite"),
        ("ended", a, "finished", None),  # what broke afterwards took nothing away
        ("ended", b, "waiting", "interrupted after epoch 1"),
    ]
    assert own(heard, "search") == own(heard)[3:]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Traceback\n  x\nMemoryError: too large", "MemoryError: too large"),
        ("ray::run_trial()\n  x\nOSError: gone", "OSError: gone"),
        ("its process ended", "its process ended"),
    ],
)
def test_where_a_process_died_its_failure_is_noted_in_the_folder(
    world: World, names: list[str], heard: list[Any], error: str, reason: str, begun: bool
) -> None:
    """Whether it had begun to write its record or not."""
    name = names[0]
    running = Record(status="running", host="node7", history=HISTORY)
    write = doing((lambda: running.write(world.folder / name)) if begun else (lambda: None))
    world.run(ASK, ("started", name), write, ("ended", name, error, "10.0.0.7"))
    record = Record.read(world.folder / name)
    assert record is not None
    assert (record.status, record.reason) == ("failed", reason)
    assert (record.host, len(record.history)) == (("node7", 2) if begun else (None, 0))
    assert own(heard)[-1] == ("ended", name, "failed", reason)


def test_what_a_process_said_of_its_own_failure_stands(
    world: World, names: list[str], heard: list[Any]
) -> None:
    name = names[0]
    said = Record(status="failed", reason="RuntimeError: broken", traceback="in many\nlines", history=HISTORY)
    error = "Traceback\n  RuntimeError: broken\nin many lines"
    write = doing(lambda: said.write(world.folder / name), ("ended", name, error, None))
    world.run(ASK, ("started", name), write)
    assert Record.read(world.folder / name) == said
    assert own(heard)[-1] == ("ended", name, "failed", "RuntimeError: broken")


def test_a_failure_of_an_earlier_process_does_not_hide_why_this_one_died(
    world: World, names: list[str], heard: list[Any]
) -> None:
    """It was tried again, as failed trials are, and died before it could say anything."""
    name = names[0]
    earlier = Record(status="failed", reason="no space", traceback="of then", history=HISTORY)
    write = doing(lambda: earlier.write(world.folder / name), ("started", name))
    world.run(ASK, write, ("ended", name, "its process ended", None))
    record = Record.read(world.folder / name)
    assert record is not None
    now = dataclasses.replace(earlier, reason="its process ended", traceback=None, ended=record.ended)
    assert record == now
    assert own(heard)[-1] == ("ended", name, "failed", "its process ended")


@pytest.mark.parametrize("status", ["waiting", "running", "failed"])
def test_a_stopped_trial_is_stopped_however_its_process_ended(
    world: World, names: list[str], heard: list[Any], status: Any
) -> None:
    name = names[0]
    before = Record(status=status, reason="another", history=HISTORY)

    def write() -> None:
        before.write(world.folder / name)
        (world.folder / name / "stop").write_text("too slow")

    world.run(ASK, ("started", name), doing(write), ("ended", name, "its process ended", None))
    assert own(heard)[-1] == ("ended", name, "stopped", "too slow")
    assert Record.read(world.folder / name) == before


def test_a_trial_that_another_process_holds_is_left_to_it(
    world: World, names: list[str], heard: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = names[0]
    before = Record(status="running", history=HISTORY)
    monkeypatch.setattr("sweeps.trial.is_claimed", lambda folder: True)
    said = ("reported", name, {"failed": "another process trains here"}, None)
    write = doing(lambda: before.write(world.folder / name), ("started", name))
    world.run(ASK, write, said, ("ended", name, None, None))
    assert Record.read(world.folder / name) == before
    assert own(heard)[-1] == ("ended", name, "running", None)


def test_a_failure_that_cannot_be_noted_does_not_end_the_others(
    world: World,
    names: list[str],
    heard: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(folder: Path, reason: str) -> None:
        raise UserError("status.json cannot be written")

    monkeypatch.setattr(module, "note_failure", full)
    world.run(ASK, ("started", names[0]), ("ended", names[0], "its process ended", None), ASK)
    assert "status.json cannot be written" in caplog.text
    assert own(heard)[-1] == ("ended", names[0], "waiting", None)
    assert world.asked[-1] == names[1]


def test_a_trial_whose_process_broke_is_run_again_as_often_as_it_may_without_progress(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]
) -> None:
    world = World(Grid(trials[:1]), prepare, tmp_path, [Ear(heard)], retries=1)
    name, checkpoint = trials[0].name, tmp_path / trials[0].name / "checkpoint.pt"
    start, broke = ("started", name), ("ended", name, "its process ended", None)
    new = doing(lambda: checkpoint.write_bytes(b"another"), broke)
    world.run(ASK, start, broke, ASK, start, new, ASK, start, new, ASK, start, broke, ASK)
    assert world.asked == [name] * 4 + ["finished"]
    assert [event[0] for event in heard] == ["started", "retried"] * 3 + ["started", "ended"]
    assert heard[-1] == ("ended", name, "failed", "its process ended")


def test_a_trial_without_memory_is_tried_once_more_with_a_whole_gpu_after_all_others(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]
) -> None:
    """Its settings are to blame when it fails there, too: a search is told so."""
    world = World(Grid(trials[:2]), prepare, tmp_path, [Ear(heard)])
    first, second = trials[0].name, trials[1].name

    def without_memory() -> None:
        Record(status="failed", reason="cuda is out of memory", failure="memory").write(tmp_path / first)

    lacked = doing(without_memory, ("ended", first, None, None))
    world.run(
        ASK, ("started", first), lacked, ASK, ("ended", second, None, None), ASK, ("started", first), lacked
    )
    assert world.asked == [first, second, first]
    specs = [answer for answer in world.ray.answers if isinstance(answer, dict)]
    assert [spec.get("more") for spec in specs] == [None, None, {"gpu": 1.0}]
    own = [event[0] for event in heard if event[1] == first]
    assert own == ["started", "retried", "started", "ended"]
    assert heard[-1] == ("ended", first, "failed", "cuda is out of memory")


def test_what_is_known_is_told_of_and_not_run(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any], result: TrialResult
) -> None:
    def link(trial: Planned) -> bool:
        """All but the last one."""
        if trial != trials[-1]:
            (prepare(trial) / "result.json").write_text(result.to_json())
        return trial != trials[-1]

    known: Any = SimpleNamespace(link=link, folder=lambda trial: tmp_path / trial.name)
    world = World(Told(trials, heard), prepare, tmp_path, [Ear(heard)], known=known)
    world.run(ASK, ("ended", trials[-1].name, None, None), ASK)
    assert world.asked == [trials[-1].name, "finished"]
    ended = [event[:4] for event in heard if "search" not in event]
    assert ended[:-1] == [("ended", trial.name, "finished", None) for trial in trials[:-1]]
    assert [event[2] for event in heard if "search" in event] == [trial.name for trial in trials]


def test_a_process_that_breaks_when_the_sweep_ends_is_not_run_again_and_did_not_fail(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]
) -> None:
    """Batch systems may signal every process at once."""
    world = World(Grid(trials), prepare, tmp_path, [Ear(heard)], retries=3)
    name = trials[0].name
    told = doing(lambda: world.flag("SIGTERM"))
    world.run(ASK, ("started", name), told, ("ended", name, "its process ended", None), ASK)
    assert world.asked == [name, "finished"]
    assert heard[-1] == ("ended", name, "waiting", None)


def test_when_ray_is_gone_the_ends_of_what_ran_are_told(
    world: World, names: list[str], heard: list[Any]
) -> None:
    with pytest.raises(RayGoneError):
        world.run(ASK, ASK, ("started", names[1]), ("started", names[0]), ("over", "gone"))
    world.trials.end()
    ends = [event for event in own(heard) if event[0] == "ended"]
    assert ends == [("ended", name, "waiting", None) for name in sorted(names[:2])]


def test_when_the_hours_are_over_what_runs_is_interrupted(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]
) -> None:
    world = World(Grid(trials), prepare, tmp_path, [Ear(heard)], hours=1e-9)
    name = trials[0].name
    world.trials._running.add(name)
    world.trials._folders[name] = prepare(trials[0])
    world.run(ASK, ("ended", name, None, None), ASK)
    assert world.stop_file.read_text() == "its 1e-09 hours are over"
    assert world.asked == [None, "finished"]


def test_a_broken_node_is_left_out_and_eats_no_retries(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path, heard: list[Any]
) -> None:
    """Two settings end there before their first report, whether they say so themselves or not."""
    a, _, b, c = (trial.name for trial in trials)
    world = World(Grid([trials[0], trials[2], trials[3]]), prepare, tmp_path, [Ear(heard)])
    lives = ("reported", c, {"epoch": 0, "metrics": {}}, "good")
    world.run(
        *(ASK, ASK, ASK, ("started", a), ("started", b), ("started", c), lives),
        *(("reported", a, {"failed": "no device"}, "bad"), ("ended", a, None, "bad")),
        ("ended", b, "its process ended", "bad"),
        *(ASK, ASK, ("started", a), ("reported", a, {"left_out": True}, "bad"), ASK, ASK),
        *(("started", b), ("ended", b, None, "good"), ("ended", c, None, "good"), ASK),
        *(("started", a), ("ended", a, None, "good"), ASK, ("ended", a, None, "bad")),
    )
    assert world.asked == [a, b, c, a, b, a, None, None, "finished"]
    specs = [answer for answer in world.ray.answers[1:] if isinstance(answer, dict)]
    assert [spec["left_out"] for spec in specs] == [[]] * 3 + [["bad"]] * 3
    assert "node bad is left out" in world.said[0]
    assert [event[1] for event in heard if event[0] == "ended"] == [a, b, c, a]


def test_a_trial_that_broke_before_it_got_anywhere_is_run_again_after_all_others(
    trials: tuple[Planned, ...], prepare: Prepare, tmp_path: Path
) -> None:
    """They tell whether it is the trial or its node."""
    world = World(Grid(trials[:2]), prepare, tmp_path, retries=1)
    a, b = trials[0].name, trials[1].name
    world.run(ASK, ("started", a), ("ended", a, "its process ended", "n"), ASK, ASK)
    assert world.asked == [a, b, a]


def test_the_memory_that_trials_say_they_take_is_kept(world: World, names: list[str]) -> None:
    world.run(ASK, ("reported", names[0], {"memory": "much"}, None), ("ended", names[0], None, None))
    kept: list[Any] = world.trials.memory
    assert kept == ["much"]
