"""Occluders: in front, in part, exact, and the same for the same generator."""

import numpy as np
import pytest
import trimesh

from epropnp.data.schema import ObjectModel
from pipelines.rendering.camera_views import LINEMOD_K, LINEMOD_SIZE, sample_view
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.occluders import COVER_MAX, COVER_MIN, PROBABILITY, hide, place_occluder
from pipelines.rendering.renderer import ObjectMaps, Renderer
from pipelines.rendering.synthetic import render_sample
from tests.pipelines.sheets import K, at, sheet

BACKGROUNDS = [np.full((256, 256, 3), 90, np.uint8)]


def box_renderer(size_m: float) -> Renderer:
    box = trimesh.creation.box((size_m, 0.7 * size_m, 0.5 * size_m)).subdivide()
    vertices, faces = np.asarray(box.vertices, np.float64), np.asarray(box.faces, np.int32)
    colours = np.full((len(vertices), 3), (0.1, 0.2, 0.9), np.float32)
    return Renderer(Mesh(vertices, faces, colours, np.asarray(box.vertex_normals, np.float64)))


@pytest.fixture(scope="module")
def boxes() -> list[Renderer]:
    """One much smaller and one larger than the cat."""
    return [box_renderer(0.05), box_renderer(0.28)]


def test_occluder_is_in_front_and_hides_a_part(cat_renderer: Renderer, boxes: list[Renderer]) -> None:
    placed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        T_cam_obj = sample_view(rng, cat_renderer.hull)
        maps = cat_renderer.maps(T_cam_obj, LINEMOD_K, LINEMOD_SIZE)
        occluder = boxes[seed % 2]
        T_cam_occluder = place_occluder(rng, occluder, cat_renderer.hull, T_cam_obj, LINEMOD_K, maps)
        if T_cam_occluder is None:
            continue
        placed += 1
        left = hide(maps, occluder, T_cam_occluder, LINEMOD_K)
        hidden_share = 1 - left.mask.sum() / maps.mask.sum()
        assert COVER_MIN / 2 < hidden_share < COVER_MAX + 0.02, seed
        # By the occluder's own maps: hidden is what they cover, and all of it is nearer.
        front = occluder.maps(T_cam_occluder, LINEMOD_K, LINEMOD_SIZE)
        covered, depth = np.zeros((2, *LINEMOD_SIZE[::-1]))
        x, y = front.origin
        window = np.s_[y : y + front.mask.shape[0], x : x + front.mask.shape[1]]
        covered[window] = front.mask
        depth[window] = (front.coords @ T_cam_occluder[:3, :3].T + T_cam_occluder[:3, 3])[..., 2]
        x, y = maps.origin
        window = np.s_[y : y + maps.mask.shape[0], x : x + maps.mask.shape[1]]
        np.testing.assert_array_equal(left.mask, maps.mask & (covered[window] == 0))
        object_depth = (maps.coords @ T_cam_obj[:3, :3].T + T_cam_obj[:3, 3])[..., 2]
        hidden = maps.mask & ~left.mask
        assert (object_depth[hidden] - depth[window][hidden]).min() > 0.005
    assert placed >= 36


@pytest.mark.slow
def test_record_holds_what_is_seen(
    cat_renderer: Renderer, cat_model: ObjectModel, boxes: list[Renderer]
) -> None:
    """Coordinates and mask of the visible part; at least half of the object; the expected frequency."""
    hidden_in = 0
    for seed in range(80):
        free, covered = (
            render_sample(np.random.default_rng(seed), cat_renderer, cat_model, BACKGROUNDS, "x", others)
            for others in ((), boxes)
        )
        np.testing.assert_array_equal(covered.T_cam_obj, free.T_cam_obj)
        x, y = covered.map_origin - free.map_origin
        height, width = covered.mask.shape
        whole = free.coords[y : y + height, x : x + width]
        np.testing.assert_array_equal(covered.coords, np.where(covered.mask[..., None] > 0, whole, 0))
        assert covered.box.tolist() == [*covered.map_origin, width, height]
        assert covered.mask[0].any() and covered.mask[-1].any()  # noqa: PT018
        share = np.count_nonzero(covered.mask) / np.count_nonzero(free.mask)
        assert 0.5 <= share <= 1.0
        hidden_in += int(share < 1.0)
    assert abs(hidden_in / 80 - PROBABILITY) < 0.12


def test_sample_with_occluder_depends_on_the_generator_alone(
    cat_mesh: Mesh, cat_renderer: Renderer, cat_model: ObjectModel, boxes: list[Renderer]
) -> None:
    for seed in range(8):
        first, again = (
            render_sample(np.random.default_rng(seed), renderer, cat_model, BACKGROUNDS, "x", boxes)
            for renderer in (cat_renderer, Renderer(cat_mesh))
        )
        for name, value in vars(first).items():
            np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)


def test_what_cannot_be_in_front_is_left_out(cat_renderer: Renderer) -> None:
    """A thing too large to stand between camera and object."""
    rng = np.random.default_rng(0)
    T_cam_obj = sample_view(rng, cat_renderer.hull)
    maps = cat_renderer.maps(T_cam_obj, LINEMOD_K, LINEMOD_SIZE)
    wall = box_renderer(3.0)
    assert place_occluder(rng, wall, cat_renderer.hull, T_cam_obj, LINEMOD_K, maps) is None


@pytest.mark.parametrize(("cover", "taken"), [(0.02, True), (0.01, False), (0.4, True), (0.41, False)])
def test_an_occluder_hides_two_to_forty_percent(
    cover: float, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred tested pixels, so many; up to twenty places are tried."""
    tried = []

    def covers(self: Renderer, pixels: np.ndarray, T: np.ndarray, camera: np.ndarray) -> np.ndarray:
        tried.append(len(pixels))
        return np.arange(len(pixels)) < round(cover * len(pixels))

    monkeypatch.setattr(Renderer, "covers", covers)
    assert (COVER_MIN, COVER_MAX) == (0.02, 0.4)
    maps = ObjectMaps(origin=(10, 10), mask=np.ones((10, 10), bool), coords=np.zeros((10, 10, 3)))
    thing = Renderer(sheet(0.05, 0.05))
    found = place_occluder(np.random.default_rng(0), thing, sheet(0.1, 0.1).vertices, at(0, 0, 1), K, maps)
    assert (found is not None) == taken
    assert tried == [100] * (1 if taken else 20)
