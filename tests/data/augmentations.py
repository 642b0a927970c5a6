"""Augmentation that changes everything an image can have changed."""

from epropnp.data.config import AugmentConfig

STRONG = AugmentConfig(
    rotation_deg=15.0,
    occlusion=0.5,
    occluders=3,
    occluder_crops=0.5,
    color=0.4,
    grey=0.3,
    blur=0.4,
    blur_px=2.5,
    noise=0.05,
)
