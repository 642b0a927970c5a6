"""Light, shadows and the camera by their definitions: Lambert (1760), Blinn (1977), the over operator.

Lights live in the camera's frame. Whatever turns beneath them, only the angle between a surface's normal and
the light counts.
"""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from pipelines.rendering.mesh import Mesh
from pipelines.rendering.renderer import Renderer, View
from pipelines.rendering.shading import Look, develop, sample_look

SIZE = 101  # an odd side: the picture's middle is a pixel
K = np.array([[200.0, 0, 50], [0, 200.0, 50], [0, 0, 1]])
IMAGE = (0, 0, SIZE, SIZE)
PAINT = np.float32(0.7)
ALBEDO = 0.7**2.2  # of that paint, in linear light
AMBIENT = 0.1
RADIUS_M, DISTANCE_M = 0.1, 0.8
UPPER_LEFT = np.array([-0.6, -0.6, -np.sqrt(0.28)])


def flat(shape: trimesh.Trimesh) -> Mesh:
    """With sharp edges: every triangle has its own corners and its own normal."""
    vertices = np.asarray(shape.triangles, np.float64).reshape(-1, 3)
    normals = np.repeat(np.asarray(shape.face_normals, np.float64), 3, axis=0)
    faces = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
    return Mesh(vertices, faces, np.full((len(vertices), 3), PAINT), normals)


def box(size_m: tuple[float, float, float], middle_m: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    shape = trimesh.creation.box(size_m)
    shape.apply_translation(middle_m)
    return flat(shape)


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]).astype(
            np.int32
        ),
        np.concatenate([mesh.colours for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
    )


def lit(*directions: np.ndarray, **changes: object) -> Look:
    """White lights of strength one, ambient light of a tenth, no gloss, a camera that changes nothing."""
    plain = {
        "light_directions": np.array(directions, np.float32),
        "light_colours": np.ones((len(directions), 3), np.float32),
        "ambient_sky": np.full(3, AMBIENT, np.float32),
        "ambient_ground": np.full(3, AMBIENT, np.float32),
        "specular": 0.0,
        "albedo_gain": np.ones(3, np.float32),
        "exposure": 1.0,
        "white_balance": np.ones(3, np.float32),
        "gamma": 1.0,
        "blur_sigma_px": 0.0,
        "shot_noise": 0.0,
        "read_noise": 0.0,
    }
    return replace(sample_look(np.random.default_rng(0)), **(plain | changes))  # type: ignore[arg-type]


def ahead(R: np.ndarray | None = None) -> np.ndarray:
    """The pose at the picture's middle, 0.8 m away."""
    T_cam_obj = np.eye(4)
    T_cam_obj[:3, :3] = np.eye(3) if R is None else R
    T_cam_obj[2, 3] = DISTANCE_M
    return T_cam_obj


def about(axis: str, angle_deg: float) -> np.ndarray:
    return Rotation.from_euler(axis, angle_deg, degrees=True).as_matrix()


def full(view: View) -> np.ndarray:
    """The light of a whole picture (SIZE, SIZE, 3)."""
    picture = np.zeros((SIZE, SIZE, 3), np.float32)
    (x, y), (height, width) = view.maps.origin, view.alpha.shape
    picture[y : y + height, x : x + width] = view.rgb
    return picture


def at(view: View, point_cam_m: tuple[float, float, float]) -> float:
    """The light at the pixel that shows a point of the camera's frame."""
    pixel = K @ np.array(point_cam_m) / point_cam_m[2]
    x, y = np.rint(pixel[:2]).astype(int)
    red, green, blue = full(view)[y, x].tolist()
    assert red == green == blue
    return float(red)


@pytest.fixture(scope="module")
def ball() -> Renderer:
    shape = trimesh.creation.icosphere(5, RADIUS_M)
    vertices, count = np.asarray(shape.vertices, np.float64), len(shape.vertices)
    faces = np.asarray(shape.faces, np.int32)
    return Renderer(Mesh(vertices, faces, np.full((count, 3), PAINT), vertices / RADIUS_M))


def ball_normals() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (n, 2) well within the ball's outline; normals and directions to the camera (n, 3) there."""
    y, x = np.mgrid[:SIZE, :SIZE]
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    rays = np.c_[(pixels - 50) / 200, np.ones(len(pixels))]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    middle = DISTANCE_M * rays[:, 2]  # |ray * s - centre| = radius, a quadratic equation for s
    root = middle**2 - DISTANCE_M**2 + RADIUS_M**2
    inside = root > (0.3 * RADIUS_M) ** 2
    s = middle[inside] - np.sqrt(root[inside])
    normals = (s[:, None] * rays[inside] - (0, 0, DISTANCE_M)) / RADIUS_M
    return pixels[inside], normals, -rays[inside]


@pytest.mark.parametrize("turn", [(0, 0, 0), (90, 0, 0), (20, -70, 130)])
def test_a_turned_ball_is_lit_as_lambert_and_blinn_say(ball: Renderer, turn: tuple[int, int, int]) -> None:
    """Two coloured lights, a bright sky, gloss: pixel by pixel, however the ball is turned."""
    second = np.array([0.8, 0.0, -0.6])
    colours = np.array([[1.0, 0.8, 0.6], [0.1, 0.3, 0.5]], np.float32)
    sky, ground = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.1, 0.2, 0.1], np.float32)
    gain = np.array([1.2, 1.0, 0.7], np.float32)
    look = lit(UPPER_LEFT, second, light_colours=colours, ambient_sky=sky, ambient_ground=ground)
    look = replace(look, specular=0.3, shininess=20.0, albedo_gain=gain)
    view = ball.view(ahead(about("xyz", turn)), K, IMAGE, look)  # type: ignore[arg-type]
    pixels, normals, towards_camera = ball_normals()
    up_share = (1 - normals[:, 1:2]) / 2  # y points down
    diffuse, gloss = up_share * sky + (1 - up_share) * ground, np.zeros((len(normals), 3))
    for direction, colour in zip((UPPER_LEFT, second), colours, strict=True):
        cosine = np.maximum(normals @ direction, 0)
        half = towards_camera + direction
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        diffuse += cosine[:, None] * colour
        gloss += 0.3 * ((normals * half).sum(1).clip(0) ** 20 * (cosine > 0))[:, None] * colour
    expected = ALBEDO * gain * diffuse + gloss
    found = full(view)[pixels[:, 1], pixels[:, 0]]
    assert np.ptp(expected) > 0.5
    assert np.abs(found - expected).mean() < 0.002
    assert np.abs(found - expected).max() < 0.03  # of four rays in a pixel, where the light changes fast


def test_turning_a_box_alone_moves_its_bright_side() -> None:
    """Light from the left and front, at 45 degrees; of a box turned about the upright, by cosines."""
    light = np.array([-np.sqrt(0.5), 0, -np.sqrt(0.5)])
    renderer = Renderer(box((0.1, 0.1, 0.1)))
    # The angle of the turn; those between the light and the normals of front (-z) and left (-x) face.
    for turn, front, left in ((30, 15, 75), (60, 15, 105), (-30, 75, 15), (-60, 105, 15), (-45, 90, 0)):
        R = about("y", turn)
        view = renderer.view(ahead(R), K, IMAGE, lit(light))
        for face, angle in (((0, 0, -0.05), front), ((-0.05, 0, 0), left)):
            if (R @ face)[2] > -0.01:
                continue  # it looks away
            point = R @ face + (0, 0, DISTANCE_M)
            expected = ALBEDO * (AMBIENT + max(np.cos(np.radians(angle)), 0))
            assert at(view, tuple(point)) == pytest.approx(expected, abs=2e-3), (turn, face)


def test_turning_object_and_light_together_turns_the_picture(cat_mesh: Mesh, cat_renderer: Renderer) -> None:
    """A quarter turn about the optical axis: every pixel, shadows and gloss included, goes with it."""
    R, quarter = about("xyz", (70, 0, 20)), about("z", 90)  # type: ignore[arg-type]
    look = lit(UPPER_LEFT, specular=0.3)
    turned = replace(look, light_directions=(look.light_directions @ quarter.T).astype(np.float32))
    first = full(cat_renderer.view(ahead(R), K, IMAGE, look))
    second = full(cat_renderer.view(ahead(quarter @ R), K, IMAGE, turned))
    alone = full(cat_renderer.view(ahead(quarter @ R), K, IMAGE, look))
    # (x, y) goes to (-y, x), which is clockwise where y points down.
    gap = np.abs(np.rot90(first, -1) - second)
    assert np.median(gap[second > 0]) < 1e-4
    assert (gap > 0.02).mean() < 0.005  # rays that graze an edge
    assert np.abs(np.rot90(first, -1) - alone).mean() > 20 * gap.mean()


def test_a_pose_undoes_a_turn_of_the_mesh(cat_mesh: Mesh, cat_renderer: Renderer) -> None:
    """The object's frame is nobody's business: another choice of it gives the same picture."""
    Q, R = about("xyz", (40, 10, -80)), about("xyz", (70, 0, 20))  # type: ignore[arg-type]
    other = replace(cat_mesh, vertices=cat_mesh.vertices @ Q.T, normals=cat_mesh.normals @ Q.T)
    look = lit(UPPER_LEFT, specular=0.3, ambient_ground=np.zeros(3, np.float32))
    first = full(cat_renderer.view(ahead(R), K, IMAGE, look))
    second = full(Renderer(other).view(ahead(R @ Q.T), K, IMAGE, look))
    assert (np.abs(first - second) > 0.02).mean() < 0.005
    assert np.abs(first - second).mean() < 1e-3


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_the_shadow_falls_away_from_the_light_however_the_scene_is_turned(quarters: int) -> None:
    """A plate 9 cm before a wall: its shadow lies 0.6 / 0.529 * 9 cm = 10.2 cm to the right and below it."""
    wall, plate = box((0.4, 0.4, 0.02)), box((0.06, 0.06, 0.002), (-0.05, -0.05, -0.1))
    quarter = about("z", 90 * quarters)
    second = np.array([0.0, 0.0, -1.0])  # straight ahead, and without shadows
    behind = np.array([0.8, 0.0, 0.6])  # behind the wall: whatever its gloss, nothing of it arrives
    colours = np.array([[1.0] * 3, [0.25] * 3, [1.0] * 3], np.float32)
    look = lit(UPPER_LEFT, second, behind, light_colours=colours, specular=0.3, shininess=2.0)
    view = Renderer(joined(wall, plate)).view(ahead(quarter), K, IMAGE, look)
    x, y, _ = quarter @ (-0.05, -0.05, 0)
    shadow = 0.6 / np.sqrt(0.28) * 0.09
    for side, key in ((1, 0.0), (-1, 1.0)):
        point = np.array([x + side * shadow, y + side * shadow, DISTANCE_M - 0.01])
        expected = ALBEDO * AMBIENT
        for direction, strength in ((UPPER_LEFT, key), (second, 0.25)):
            half = direction - point / np.linalg.norm(point)
            cosine = -half[2] / np.linalg.norm(half)
            expected += strength * (ALBEDO * -direction[2] + 0.3 * cosine**2)
        assert at(view, tuple(point)) == pytest.approx(expected, abs=5e-3), side


def test_a_sheet_is_lit_from_both_sides() -> None:
    """A scan may have holes: a surface whose normal looks away is shaded as the side that is seen."""
    corners = np.array([[-0.1, -0.1, 0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    for z in (-1.0, 1.0):
        sheet = Mesh(corners, faces, np.full((4, 3), PAINT), np.tile([0.0, 0.0, z], (4, 1)))
        view = Renderer(sheet).view(ahead(), K, IMAGE, lit(UPPER_LEFT))
        assert at(view, (0, 0, DISTANCE_M)) == pytest.approx(ALBEDO * (AMBIENT + np.sqrt(0.28)), abs=2e-3)


def test_the_camera_exposes_balances_and_pastes() -> None:
    """Half-covered: linear light over coverage, times exposure and balance, to the power of 1 / gamma."""
    look = lit(UPPER_LEFT, exposure=0.8, white_balance=np.array([1.5, 1.0, 0.5], np.float32), gamma=2.0)
    alpha = np.array([[0.0, 0.5, 1.0, 1.0]], np.float32)
    rgb = np.full((1, 4, 3), 0.2, np.float32) * (alpha > 0)[..., None]
    rgb[0, 3] = 5.0  # more than white
    behind = np.full((1, 4, 3), 0.4, np.float32)
    picture = develop(rgb, alpha, behind, look, np.random.default_rng(0))[0]
    assert picture[0].tolist() == [102, 102, 102]  # 0.4 of white
    half = [0.5 * 0.4 + 0.5 * np.sqrt(0.2 / 0.5 * 0.8 * balance) for balance in (1.5, 1.0, 0.5)]
    assert picture[1].tolist() == [round(255 * value) for value in half]
    whole = [np.sqrt(0.2 * 0.8 * balance) for balance in (1.5, 1.0, 0.5)]
    assert picture[2].tolist() == [round(255 * value) for value in whole]
    assert picture[3].tolist() == [255, 255, 255]
    assert (behind == np.float32(0.4)).all(), "the background is not painted on"


def test_noise_is_that_of_the_sensor() -> None:
    look = lit(UPPER_LEFT, read_noise=0.01, shot_noise=0.04)
    grey, nothing = np.full((200, 200, 3), 0.25, np.float32), np.zeros((200, 200), np.float32)
    noisy = develop(0 * grey, nothing, grey, look, np.random.default_rng(0)) / 255
    assert noisy.mean() == pytest.approx(0.25, abs=1e-3)
    # sqrt(0.01^2 + 0.04^2 / 4) = 0.0224, and the rounding to whole grey levels.
    assert noisy.std() == pytest.approx(np.sqrt(0.01**2 + 0.04**2 * 0.25 + 1 / 255**2 / 12), rel=0.02)


def test_blur_softens_the_finished_picture() -> None:
    """Of a step, next to the edge: half of white and half of the kernel's middle weight, 0.1995."""
    step, nothing = np.zeros((9, 9, 3), np.float32), np.zeros((9, 9), np.float32)
    step[:, 5:] = 1.0
    for sigma_px, beside in ((0.0, 255), (1.0, 178)):
        look = lit(UPPER_LEFT, blur_sigma_px=sigma_px)
        picture = develop(0 * step, nothing, step, look, np.random.default_rng(0))
        assert abs(int(picture[4, 5, 0]) - beside) <= 1
        assert int(picture[4, 5, 0]) + int(picture[4, 4, 0]) == 255
