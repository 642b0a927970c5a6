"""How a rendered object looks: material, lights and camera, drawn at random, and Blinn-Phong.

Light is computed in linear intensity. `develop` then plays the camera: exposure, white balance and
tone curve for the object, blur and noise for the finished picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Look:
    """One draw of material, lighting and camera."""

    light_directions: Array  # (L, 3) unit vectors towards the lights, camera frame; first is key
    light_colours: Array  # (L, 3) linear
    ambient_sky: Array  # (3,) linear ambient light from above ...
    ambient_ground: Array  # (3,) ... and from below
    specular: float
    shininess: float
    albedo_gain: Array  # (3,) per channel
    exposure: float
    white_balance: Array  # (3,)
    gamma: float
    blur_sigma_px: float
    shot_noise: float  # standard deviation at full scale, grows with the root of intensity
    read_noise: float  # standard deviation, constant


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Visible points of a surface; all vectors in one frame."""

    normals: Array  # (n, 3) unit
    view: Array  # (n, 3) unit, towards the camera
    albedo: Array  # (n, 3) linear
    key_light: Array  # (n,) share of the first light that arrives


def sample_look(rng: np.random.Generator) -> Look:
    """Draws a look: one to three coloured lights in front of the object, plastic-like material."""
    count = int(rng.integers(1, 4))
    directions = rng.normal(size=(count, 3)) * (1.0, 0.7, 0.5) + (0.0, -0.6, -0.9)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    strengths = np.concatenate([rng.uniform(0.5, 1.1, 1), rng.uniform(0.1, 0.45, count - 1)])
    tints = np.clip(1.0 + 0.1 * rng.normal(size=(count, 3)), 0.6, 1.4)
    warmth = rng.normal(0.12, 0.15)  # cameras leave indoor light warm
    ambient = rng.uniform(0.15, 0.55) * np.clip(1.0 + 0.07 * rng.normal(size=3), 0.7, 1.3)
    return Look(
        light_directions=directions.astype(np.float32),
        light_colours=(strengths[:, None] * tints).astype(np.float32),
        ambient_sky=ambient.astype(np.float32),
        ambient_ground=(ambient * rng.uniform(0.3, 0.9)).astype(np.float32),
        specular=float(rng.uniform(0.0, 0.35)),
        shininess=float(np.exp(rng.uniform(np.log(6.0), np.log(80.0)))),
        albedo_gain=np.clip(1.0 + 0.12 * rng.normal(size=3), 0.6, 1.4).astype(np.float32),
        exposure=float(np.exp(rng.normal(-0.2, 0.3))),
        white_balance=np.exp([warmth, rng.normal(0.0, 0.04), -warmth]).astype(np.float32),
        gamma=float(rng.uniform(1.9, 2.5)),
        blur_sigma_px=float(rng.uniform(0.0, 1.1)),
        shot_noise=float(rng.uniform(0.0, 0.03)),
        read_noise=float(rng.uniform(0.0, 0.015)),
    )


def shade(surface: Surface, light_directions: Array, up: Array, look: Look) -> Array:
    """Blinn-Phong colour (n, 3), linear. Directions in the surface's frame; `up` parts the ambient.

    Only the first light is subject to `surface.key_light`.
    """
    sky_share = (0.5 + 0.5 * (surface.normals @ up))[:, None]  # (n, 1)
    diffuse = look.ambient_ground + (look.ambient_sky - look.ambient_ground) * sky_share
    highlight = np.zeros_like(diffuse)
    for i, (direction, colour) in enumerate(zip(light_directions, look.light_colours, strict=True)):
        lambert = np.maximum(surface.normals @ direction, 0.0)  # (n,)
        half = surface.view + direction
        half /= np.linalg.norm(half, axis=1, keepdims=True) + 1e-6
        cosine = np.maximum(np.einsum("ni,ni->n", surface.normals, half), 1e-6)
        gloss = look.specular * np.exp(look.shininess * np.log(cosine)) * (lambert > 0)
        arriving = surface.key_light if i == 0 else np.float32(1.0)
        diffuse += (lambert * arriving)[:, None] * colour
        highlight += (gloss * arriving)[:, None] * colour
    lit: Array = surface.albedo * look.albedo_gain * diffuse + highlight
    return lit


def develop(
    rgb: Array, alpha: Array, background: Array, look: Look, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Pastes linear premultiplied colour on a photograph and adds the camera's blur and noise.

    rgb (h, w, 3), alpha (h, w), background (h, w, 3) in display values [0, 1]. Returns uint8.
    """
    inside = alpha > 0
    cover = alpha[inside][:, None]  # (n, 1)
    light: Array = np.clip(rgb[inside] / cover * look.exposure * look.white_balance, 0.0, 1.0)
    display = light ** np.float32(1.0 / look.gamma)
    picture = background.copy()
    picture[inside] += cover * (display - background[inside])
    if look.blur_sigma_px > 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), look.blur_sigma_px), np.float32)
    deviation = np.sqrt(look.read_noise**2 + look.shot_noise**2 * np.clip(picture, 0.0, 1.0))
    picture = picture + deviation * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)
