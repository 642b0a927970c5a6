"""The renderer: exact maps, sound shading, the record made of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import trimesh

from epropnp.data.schema import ObjectModel, Record, dequantise
from pipelines.rendering.camera_views import LINEMOD_K, LINEMOD_SIZE, project, sample_view
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.renderer import Renderer
from pipelines.rendering.shading import Look, sample_look
from pipelines.rendering.synthetic import render_sample

IMAGE = (0, 0, *LINEMOD_SIZE)
SPHERE_RADIUS_M = 0.1
AHEAD = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.8], [0, 0, 0, 1]])


def as_mesh(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(
        np.asarray(shape.vertices, np.float64),
        np.asarray(shape.faces, np.int32),
        np.full((len(shape.vertices), 3), 0.7, np.float32),
        np.asarray(shape.vertex_normals, np.float64),
    )


@pytest.fixture(scope="module")
def sphere() -> Renderer:
    return Renderer(as_mesh(trimesh.creation.icosphere(5, SPHERE_RADIUS_M)))


@pytest.fixture(scope="module")
def look() -> Look:
    """A single white light from the upper left; no gloss, little ambient light."""
    dark = np.full(3, 0.1, np.float32)
    towards = np.array([[-0.6, -0.6, -0.5291503]], np.float32)
    plain = sample_look(np.random.default_rng(0))
    return replace(
        plain,
        light_directions=towards,
        light_colours=np.ones((1, 3), np.float32),
        ambient_sky=dark,
        ambient_ground=dark,
        specular=0.0,
        albedo_gain=np.ones(3, np.float32),
    )


def reprojection_error_px(record: Record, model: ObjectModel) -> float:
    rows, columns = np.nonzero(record.mask)
    points = dequantise(record.coords[rows, columns], model).astype(np.float64)
    pixels = np.stack([columns, rows], axis=1) + record.map_origin
    return float(np.abs(project(points, record.T_cam_obj, record.K) - pixels).max())


def test_coordinates_lie_on_the_sphere_and_on_their_pixels(sphere: Renderer) -> None:
    for seed in range(5):
        T_cam_obj = sample_view(np.random.default_rng(seed), sphere.hull)
        maps = sphere.maps(T_cam_obj, LINEMOD_K, LINEMOD_SIZE)
        points = maps.coords[maps.mask]
        radius = np.linalg.norm(points, axis=1)
        np.testing.assert_allclose(radius, SPHERE_RADIUS_M, atol=1e-4)  # facets cut the corner
        rows, columns = np.nonzero(maps.mask)
        pixels = np.stack([columns, rows], axis=1) + maps.origin
        np.testing.assert_allclose(project(points, T_cam_obj, LINEMOD_K), pixels, atol=1e-9)
        distance = np.linalg.norm(points @ T_cam_obj[:3, :3].T + T_cam_obj[:3, 3], axis=1)
        assert distance.max() < np.linalg.norm(T_cam_obj[:3, 3])  # the near side


def test_mask_has_the_area_of_the_projected_sphere(sphere: Renderer) -> None:
    maps = sphere.maps(AHEAD, LINEMOD_K, LINEMOD_SIZE)
    tangent = SPHERE_RADIUS_M / np.sqrt(0.8**2 - SPHERE_RADIUS_M**2)
    area = np.pi * tangent**2 * LINEMOD_K[0, 0] * LINEMOD_K[1, 1]
    assert abs(maps.mask.sum() / area - 1) < 0.01


def test_general_camera_matrix_is_honoured(sphere: Renderer) -> None:
    c, s = np.cos(0.5), np.sin(0.5)
    K = np.array([[c, -s, 200.0], [s, c, -60.0], [0, 0, 1]]) @ LINEMOD_K
    maps = sphere.maps(AHEAD, K, (640, 480))
    rows, columns = np.nonzero(maps.mask)
    pixels = np.stack([columns, rows], axis=1) + maps.origin
    assert len(rows) > 1000
    np.testing.assert_allclose(project(maps.coords[maps.mask], AHEAD, K), pixels, atol=1e-9)


def test_window_is_cut_at_the_image_and_empty_outside(sphere: Renderer, look: Look) -> None:
    for offset_m, visible in ((-0.45, True), (-2.0, False)):
        T_cam_obj = AHEAD.copy()
        T_cam_obj[0, 3] = offset_m
        maps = sphere.maps(T_cam_obj, LINEMOD_K, LINEMOD_SIZE)
        assert maps.origin[0] == 0
        assert maps.mask.any() == visible
        shaded = sphere.view(T_cam_obj, LINEMOD_K, IMAGE, look)
        assert shaded.alpha.shape == maps.mask.shape


def test_alpha_is_antialiased_around_the_mask(sphere: Renderer, look: Look) -> None:
    maps = sphere.maps(AHEAD, LINEMOD_K, LINEMOD_SIZE)
    shaded = sphere.view(AHEAD, LINEMOD_K, IMAGE, look)
    assert shaded.maps.origin == maps.origin
    assert set(np.unique(shaded.alpha)) == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert abs(shaded.alpha.sum() / maps.mask.sum() - 1) < 0.01
    assert np.all(shaded.rgb[shaded.alpha == 0] == 0)


def test_view_holds_the_maps_of_its_region(cat_renderer: Renderer) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        T_cam_obj, drawn = sample_view(rng, cat_renderer.hull), sample_look(rng)
        maps = cat_renderer.maps(T_cam_obj, LINEMOD_K, LINEMOD_SIZE)
        whole = cat_renderer.view(T_cam_obj, LINEMOD_K, IMAGE, drawn)
        np.testing.assert_array_equal(whole.maps.mask, maps.mask)
        np.testing.assert_array_equal(whole.maps.coords, maps.coords)
        region = (maps.origin[0] + 7, maps.origin[1] + 5, 20, 30)
        part = cat_renderer.view(T_cam_obj, LINEMOD_K, region, drawn)
        assert part.maps.origin == region[:2]
        np.testing.assert_array_equal(part.maps.coords, maps.coords[5:35, 7:27])
        inner = np.s_[1:-1, 1:-1]  # at its rim the region hides the neighbours that would ask for more rays
        np.testing.assert_allclose(part.rgb[inner], whole.rgb[5:35, 7:27][inner], atol=1e-5)
        rows, columns = np.mgrid[: maps.mask.shape[0], : maps.mask.shape[1]]
        pixels = np.stack([columns.ravel(), rows.ravel()], axis=1) + np.array(maps.origin, float)
        np.testing.assert_array_equal(cat_renderer.covers(pixels, T_cam_obj, LINEMOD_K), maps.mask.ravel())


def test_rays_saved_where_nothing_changes_do_not_show(
    cat_renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against 2x2 rays in every pixel: a thousandth of the range on average, edges exactly alike."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        T_cam_obj, drawn = sample_view(rng, cat_renderer.hull), sample_look(rng)
        saving = cat_renderer.view(T_cam_obj, LINEMOD_K, IMAGE, drawn)
        with monkeypatch.context() as patch:
            patch.setattr("pipelines.rendering.renderer._CONTRAST", -1.0)
            full = cat_renderer.view(T_cam_obj, LINEMOD_K, IMAGE, drawn)
        np.testing.assert_array_equal(saving.alpha, full.alpha)
        assert np.abs(saving.rgb - full.rgb).mean() < 0.001
        assert np.abs(saving.rgb - full.rgb).max() < 0.25


def test_light_comes_from_where_it_stands(sphere: Renderer, look: Look) -> None:
    shaded = sphere.view(AHEAD, LINEMOD_K, IMAGE, look)
    height, width = shaded.alpha.shape
    upper_left = shaded.rgb[height // 4, width // 4].mean()
    lower_right = shaded.rgb[3 * height // 4, 3 * width // 4].mean()
    assert upper_left > 2 * lower_right


def test_key_light_casts_shadows(look: Look) -> None:
    """A plate in front of a wall, lit from the upper left, darkens the wall at its lower right."""
    wall = trimesh.creation.box((0.4, 0.4, 0.02))
    plate = trimesh.creation.box((0.08, 0.08, 0.01))
    plate.apply_translation((-0.05, -0.05, -0.1))
    both: Any = trimesh.util.concatenate([wall, plate])
    scene = Renderer(as_mesh(both))
    bare = Renderer(as_mesh(wall))
    with_plate = scene.view(AHEAD, LINEMOD_K, IMAGE, look)
    without = bare.view(AHEAD, LINEMOD_K, IMAGE, look)
    shadow = project(np.array([[0.04, 0.04, -0.01]]), AHEAD, LINEMOD_K)[0].round().astype(int)
    x, y = shadow - with_plate.maps.origin
    assert with_plate.rgb[y, x].mean() < 0.5 * without.rgb[y, x].mean()


def test_record_reprojects_onto_its_pixels_after_quantisation(
    cat_renderer: Renderer, cat_model: ObjectModel
) -> None:
    backgrounds = [np.full((256, 256, 3), 90, np.uint8)]
    for seed in range(6):
        record = render_sample(np.random.default_rng(seed), cat_renderer, cat_model, backgrounds, "x")
        assert reprojection_error_px(record, cat_model) < 0.02
        assert np.all(record.coords[record.mask == 0] == 0)
        assert record.mask[0].any()
        assert record.mask[-1].any()
        assert record.mask[:, 0].any()
        assert record.mask[:, -1].any()
        assert record.box.tolist() == [*record.map_origin, *record.mask.shape[::-1]]
        assert record.rgb.shape[0] == np.ceil(2.4 * record.box[2:].max())


def test_crop_is_centred_on_the_box_and_black_outside_the_image(
    cat_renderer: Renderer, cat_model: ObjectModel
) -> None:
    backgrounds = [np.full((256, 256, 3), 200, np.uint8)]
    outside = 0
    for seed in range(8):
        record = render_sample(np.random.default_rng(seed), cat_renderer, cat_model, backgrounds, "x")
        side = record.rgb.shape[0]
        middle = record.crop_origin + (side - 1) / 2
        assert np.abs(middle - (record.box[:2] + (record.box[2:] - 1) / 2)).max() <= 0.5
        columns = record.crop_origin[0] + np.arange(side)
        rows = record.crop_origin[1] + np.arange(side)
        inside = ((rows >= 0) & (rows < 480))[:, None] & ((columns >= 0) & (columns < 640))
        assert np.all(record.rgb[~inside] == 0)
        assert np.all(record.rgb[inside].max(axis=-1) > 0)
        outside += int((~inside).sum())
    assert outside > 0


def test_sample_depends_on_the_generator_alone(
    cat_mesh: Mesh, cat_renderer: Renderer, cat_model: ObjectModel
) -> None:
    backgrounds = [np.full((256, 256, 3), 90, np.uint8)]
    renderers = (cat_renderer, Renderer(cat_mesh))
    first, again = (
        render_sample(np.random.default_rng(3), renderer, cat_model, backgrounds, "x")
        for renderer in renderers
    )
    for name, value in vars(first).items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)


def test_looks_vary(cat_renderer: Renderer) -> None:
    looks = [sample_look(np.random.default_rng(seed)) for seed in range(50)]
    assert {len(look.light_colours) for look in looks} == {1, 2, 3}
    assert len({look.shininess for look in looks}) == 50
    for look in looks:
        np.testing.assert_allclose(np.linalg.norm(look.light_directions, axis=1), 1, rtol=1e-5)
