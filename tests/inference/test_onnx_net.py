"""onnxruntime in the place of a network: a small graph written by hand, and files that are not ours."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from epropnp import extras
from epropnp.errors import UserError
from epropnp.inference import Predictor
from epropnp.inference.card import CARD, to_text
from epropnp.inference.config import STUDY
from epropnp.inference.model import is_trained_model, load_model, load_released_model, without_weights
from epropnp.inference.onnx_net import OnnxNet
from tests.inference.untrained import OFF_ITS_MIDDLE, untrained
from tests.models.test_released import Official

CPU = torch.device("cpu")


def write_graph(path: Path, text: str | None) -> Path:
    """Coordinates are the image's means over cells, logits the first two of them, scales its first means."""
    nodes = [
        helper.make_node("AveragePool", ["image"], ["coords"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Slice", ["coords", "zero", "two", "one"], ["weight_logits"]),
        helper.make_node("ReduceMean", ["weight_logits", "plane"], ["log_scale"], keepdims=0),
    ]
    shapes: dict[str, list[str | int]] = {
        "image": ["batch", 3, 64, 64],
        "coords": ["batch", 3, 16, 16],
        "weight_logits": ["batch", 2, 16, 16],
        "log_scale": ["batch", 2],
    }
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    numbers = {"zero": [0], "two": [2], "one": [1], "plane": [2, 3]}
    constants = [helper.make_tensor(k, TensorProto.INT64, [len(v)], v) for k, v in numbers.items()]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if text is not None:
        helper.set_model_props(model, {CARD: text})
    onnx.save(model, path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "net.onnx", to_text(without_weights(untrained(tmp_path))))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_maps_are_those_of_the_graph(file: Path, memory_format: torch.memory_format) -> None:
    image = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = OnnxNet(file, CPU)(image.to(memory_format=memory_format))
    coords = torch.nn.functional.avg_pool2d(image, 4)
    torch.testing.assert_close(found.coords, coords)
    torch.testing.assert_close(found.weight_logits, coords[:, :2])
    torch.testing.assert_close(found.log_scale, coords[:, :2].mean((2, 3)))


@pytest.mark.parametrize("threads", [1, 2])
def test_it_takes_as_many_threads_as_torch(file: Path, threads: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        options = OnnxNet(file, CPU).session.get_session_options()
    finally:
        torch.set_num_threads(before)
    assert options.intra_op_num_threads == threads


def test_all_else_comes_from_the_file(file: Path) -> None:
    """Objects, settings, temperatures and the layer's threshold, of the network that the text was made of."""
    found, expected = load_model(file), load_model(file.with_name("best.pt"))
    assert is_trained_model(file)
    assert found.inference.device == CPU
    assert (found.inference.precision, expected.inference.precision) == ("float32", "bf16")
    assert found.temperatures == expected.temperatures
    assert found.config == expected.config
    assert found.dataset_id == "0123456789ab"
    assert found.boxes == expected.boxes == "whole"
    assert found.inference.settings == expected.inference.settings
    assert found.inference.model == expected.inference.model
    assert float(found.inference.layer.state_dict()["log_delta"]) == -2.5
    (own,), (theirs,) = found.objects.values(), expected.objects.values()
    assert (own.name, own.object_id, own.symmetric) == (theirs.name, theirs.object_id, theirs.symmetric)
    for name in ("bounds_min", "bounds_max", "symmetries", "points", "coord_scale"):
        assert getattr(own, name).dtype == getattr(theirs, name).dtype
        assert getattr(own, name).tolist() == getattr(theirs, name).tolist()


@pytest.mark.slow
def test_an_official_network_brings_its_own_settings(tmp_path: Path) -> None:
    torch.save({"state_dict": Official().state_dict()}, tmp_path / "official.pth")
    expected = load_released_model(tmp_path / "official.pth", {3: OFF_ITS_MIDDLE})
    path = write_graph(tmp_path / "net.onnx", to_text(without_weights(expected)))
    (tmp_path / "official.pth").unlink()
    found = load_model(path)
    assert found.inference.settings == STUDY
    assert found.inference.points == 512
    assert found.inference.model == expected.inference.model.bare
    assert found.inference.model.cell_anchor == 0
    assert found.objects[3].name == "hook"


def refused(path: Path) -> str:
    with pytest.raises(UserError) as error:
        Predictor(path, "cpu")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_damaged_and_other_files_are_one_line(file: Path, tmp_path: Path) -> None:
    assert "none.onnx is not there" in refused(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    assert "text.onnx cannot be read" in refused(tmp_path / "text.onnx")
    (tmp_path / "empty.onnx").touch()
    assert "empty.onnx " in refused(tmp_path / "empty.onnx")
    (tmp_path / "half.onnx").write_bytes(file.read_bytes()[:400])
    assert "half.onnx cannot be read" in refused(tmp_path / "half.onnx")
    other = write_graph(tmp_path / "other.onnx", None)
    assert "other.onnx is a network of other code: give a file of" in refused(other)
    (tmp_path / "cat.pt2").write_text("a program")
    assert "cat.pt2 cannot be read" in refused(tmp_path / "cat.pt2")
    newer = write_graph(tmp_path / "newer.onnx", '{"format": 7}')
    assert "newer.onnx is a network of format 7, this version reads" in refused(newer)
    bare = write_graph(tmp_path / "bare.onnx", '{"config": {}, "objective": {}}')
    assert "bare.onnx does not hold objects" in refused(bare)


def test_onnxruntime_alone_is_asked_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"onnx", "onnxscript"}
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in absent else object())
    Predictor(file, "cpu")
    absent.add("onnxruntime")
    assert refused(file) == (
        "running net.onnx needs more than is installed (onnxruntime): pip install 'epropnp-sweeps[export]'"
    )
