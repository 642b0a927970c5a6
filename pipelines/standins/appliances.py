"""Stand-ins for appliances: camera, iron and phone. Conventions: see `shapes`."""

import numpy as np

from pipelines.standins.materials import (
    Colour,
    Part,
    faded,
    lettered,
    mottled,
    painted,
    patched,
    patchwork,
    plain,
    spotted,
    steel,
    striped,
)
from pipelines.standins.sdf import (
    Shape,
    blend,
    box,
    capsule,
    cone,
    curve,
    cylinder,
    ellipsoid,
    helix,
    mirrored,
    prism,
    rotation,
    sphere,
    torus,
    tube,
    union,
)


def camera() -> list[Part]:
    """A reflex camera: leather body, worn metal top, big lens, a picture on its screen."""
    body = box(0.7, 0.24, 0.4, 0.07).at(0, 0, -0.08)
    grip = box(0.16, 0.3, 0.36, 0.1).at(-0.56, 0.06, -0.1)
    top = box(0.68, 0.2, 0.06, 0.03).at(0, 0, 0.35)
    house = box(0.22, 0.2, 0.12, 0.04).at(0.02, 0, 0.44)
    brow = box(0.14, 0.24, 0.07, 0.03).at(0.02, 0.06, 0.48)
    barrel = cylinder(0.33, 0.12, 0.02).turned("x", -90).at(0.06, 0.32, -0.06)
    tip = cylinder(0.27, 0.24, 0.02) - cylinder(0.22, 0.1).at(0, 0, 0.22)
    barrel |= tip.turned("x", -90).at(0.06, 0.5, -0.06)
    ring = torus(0.275, 0.03).turned("x", 90).at(0.06, 0.71, -0.06)
    knob = cylinder(0.08, 0.05, 0.01).at(-0.42, 0.05, 0.44)
    shoe = box(0.1, 0.06, 0.03).at(0.02, 0, 0.58)
    loops = mirrored(torus(0.07, 0.03).turned("y", 90).at(0.74, 0, 0.25))
    pad = cylinder(0.11, 0.03, 0.01).turned("x", 90).at(-0.46, -0.25, -0.16)

    worn = mottled("8a6a3a", "6d5230", 56)
    metal = patched(mottled("c4c2bc", "a2a09a", 55, 0.3), worn, 57, 0.25, 0.5)
    badge = lettered(metal, "SLR", "c0261f", (0.02, 0.26, 0.49), height=0.15, facing=(0, 1, 0))
    tube_paint = painted(
        striped(plain("1c1c20"), plain("4a4a50"), (0, 1, 0), 0.08, 0.0),
        (box(0.2, 0.5, 0.12).at(0.26, 0.4, 0.18), plain("d9d4c4")),
        (box(0.1, 0.5, 0.3).at(-0.24, 0.4, -0.06), plain("d08a20")),
    )
    coating = faded(mottled("20305a", "35205a", 58, 0.15), plain("b04a9a"), (1, 0, 1), -0.12, 0.2)
    return [
        Part(blend(0.03, body, grip), _camera_leather()),
        Part(top | knob | shoe | loops, metal),
        Part(blend(0.05, house, brow), badge),
        Part(barrel, tube_paint),
        Part(ellipsoid(0.215, 0.1, 0.215).at(0.06, 0.56, -0.06), coating),
        Part(ring, striped(plain("d62a22"), plain("8a1410"), (1, 0, 0.3), 0.3, 0.2)),
        Part(
            cylinder(0.13, 0.06, 0.01).at(0.45, 0, 0.46),
            striped(plain("e2e0d8"), plain("20242a"), (1, 0.8, 0), 0.08, 0.0),
        ),
        Part(cylinder(0.06, 0.08, 0.02).at(-0.6, 0.1, 0.42), plain("e0b020")),
        Part(cylinder(0.06, 0.04).turned("x", 90).at(-0.42, 0.24, 0.24), plain("e04a2a")),
        Part(box(0.4, 0.03, 0.27, 0.01).at(0.12, -0.24, -0.09), _camera_picture()),
        Part(pad, patchwork(["d0d0d0", "707478", "3a6ab0"], 60, 0.09)),
    ]


def _camera_leather() -> Colour:
    black = spotted(mottled("26262a", "3d3a3a", 51, 0.15), ["55504c", "1a1a1c"], 52, 0.11, 0.45)
    brown = spotted(mottled("5a2c1c", "7a4026", 53, 0.12), ["3a1a10", "8f5434"], 54, 0.08, 0.45)
    return painted(
        black,
        (box(0.24, 0.6, 0.5).at(-0.62, 0, -0.08), brown),
        (box(0.8, 0.5, 0.03).at(0, 0, 0.18), plain("b8342c")),
        (box(0.1, 0.1, 0.07).at(0.54, 0.24, 0.05), plain("d8d2be")),
        (box(0.12, 0.1, 0.05).at(0.5, 0.24, -0.34), plain("2f7ab0")),
        (box(0.1, 0.3, 0.1).at(0.72, 0, -0.2), plain("c88a2a")),
    )


def _camera_picture() -> Colour:
    grass, road = (
        mottled("6a8f3a", "3c6a2a", 59, 0.1),
        capsule((-0.1, -0.26, -0.4), (0.06, -0.26, -0.1), 0.12, 0.02),
    )
    landscape = faded(grass, plain("7ab4e0"), (0, 0, 1), -0.14, -0.04)
    return painted(landscape, (sphere(0.1).at(0.28, -0.26, 0.04), plain("f4d23c")), (road, plain("7a4a32")))


def _sole() -> list[tuple[float, float]]:
    """Outline of an iron's plate: broad heel at -x, point at +x."""
    x = np.linspace(-0.86, 1.0, 14)[:-1]
    half = 0.38 * np.sqrt((1.0 - x) / 1.5).clip(0, 1) * np.clip((x + 1.05) / 0.3, 0.75, 1)
    side = list(zip(x.tolist(), half.tolist(), strict=True))
    return [*side, (1.0, 0.0), *((a, -b) for a, b in reversed(side))]


def iron() -> list[Part]:
    """A steam iron: steel plate, tapering skirt, water tank, arched handle, dial and cord."""
    plate = prism(_sole(), 0.06).at(0, 0, -0.62)
    skirt = prism(_sole(), 0.16, top_scale=0.72).at(0, 0, -0.41)
    arch = [(-0.6, 0, -0.3), (-0.7, 0, 0.05), (-0.5, 0, 0.31), (-0.1, 0, 0.36), (0.3, 0, 0.3)]
    handle = tube(curve([*arch, (0.5, 0, 0.05), (0.48, 0, -0.25)]), 0.1, 0.085)
    grip = tube(curve([(-0.45, 0, 0.34), (-0.1, 0, 0.37), (0.2, 0, 0.335)]), 0.12)
    buttons = cylinder(0.06, 0.05, 0.01).at(0.34, 0.05, 0.36)
    buttons |= cylinder(0.05, 0.05, 0.01).at(0.47, -0.05, 0.26)
    cord = tube(curve([(-0.68, 0, 0.1), (-0.88, 0.08, 0.16), (-1.0, 0.22, 0.05), (-0.98, 0.3, -0.2)]), 0.05)

    blue = patched(mottled("2c5f8a", "1d4263", 177, 0.2), plain("d88a2a"), 178, 0.2, 0.42)
    pitted = spotted(plain("b8bcc2"), ["3a3c40"], 182, 0.16, 0.3)
    rubber = painted(
        striped(plain("2a2a2e"), plain("6a6a74"), (1, 0.1, 0), 0.11, 0.1),
        (box(0.6, 0.05, 0.4).at(0, 0.11, 0.36), mottled("a83a2a", "7a241a", 184, 0.1)),
    )
    return [
        Part(plate, patched(steel(179), pitted, 183, 0.5, 0.1)),
        Part(skirt, _iron_shell()),
        Part(ellipsoid(0.55, 0.25, 0.26).at(0.05, 0, -0.22), _iron_tank()),
        Part(handle, blue),
        Part(grip, rubber),
        Part(
            cylinder(0.15, 0.06, 0.02).at(0.1, 0, 0.02),
            patchwork(["f0ece0", "e05a20", "3a7ac0", "e8c83a"], 185, 0.11),
        ),
        Part(box(0.025, 0.14, 0.03).turned("z", 35).at(0.1, 0, 0.08), plain("1c1c20")),
        Part(buttons, mottled("e08020", "b05c10", 186, 0.1)),
        Part(cord, striped(plain("202024"), plain("e0d8c8"), (0.6, 1, 1), 0.1, 0.2)),
        Part(cone(0.07, 0.03, 0.07).turned("y", 90).at(0.68, 0, -0.12), plain("1d4263")),
    ]


def _iron_shell() -> Colour:
    shell = patched(
        mottled("ece8da", "c8c0aa", 171, 0.3), mottled("8fb8c8", "6a9ab0", 172, 0.15), 173, 0.4, 0.2
    )
    chevrons = striped(plain("d8502a"), plain("f0d8a0"), (1, 0, 0.6), 0.12, 0.0)
    shell = painted(
        shell,
        (box(0.36, 0.2, 0.13).at(-0.4, -0.32, -0.41), plain("24406a")),
        (box(0.2, 0.3, 0.09).at(-0.4, 0.34, -0.4), chevrons),
        (box(0.2, 0.3, 0.06).at(0.25, 0.3, -0.42), plain("2a7a4a")),
        (box(0.12, 0.3, 0.09).at(0.25, -0.3, -0.4), plain("e0b030")),
        (box(0.2, 0.14, 0.1).at(-0.85, -0.1, -0.4), plain("b8342c")),
    )
    return lettered(shell, "HOT", "f4e8b8", (-0.4, -0.3, -0.41), height=0.2, facing=(0, -1, 0.3))


def _iron_tank() -> Colour:
    deep, light = mottled("2f7fa8", "1f5f88", 174, 0.2), mottled("9ad0e0", "6ab0cc", 175, 0.2)
    tank = painted(
        faded(deep, light, (1, 0.2, 0.4), -0.4, 0.5),
        (box(0.1, 0.3, 0.14).at(-0.2, -0.2, -0.16), plain("f0f0e8")),
        (box(0.18, 0.3, 0.05).at(0.24, 0.2, -0.14), plain("e8a020")),
    )
    return spotted(tank, ["d0ecf4", "174a6a"], 176, 0.2, 0.28)


def _on_handset(shape: Shape, x: float, y: float, z: float) -> Shape:
    """Put a shape at a place on the phone's tilted handset, whose front is -y."""
    place = np.array([0, 0.02, 0.1]) + rotation("x", 14) @ np.array([x, y, z])
    return shape.turned("x", 14).at(*place)


def phone() -> list[Part]:
    """A cordless handset leaning in its cradle: keys, screen, antenna and a coiled cord."""
    on = _on_handset
    cradle = blend(
        0.06, box(0.44, 0.66, 0.1, 0.06).at(0, 0, -0.84), box(0.34, 0.26, 0.2, 0.08).at(0, 0.02, -0.68)
    )
    lip = box(0.44, 0.05, 0.06, 0.02).at(0, -0.62, -0.72)
    handset = blend(
        0.06,
        on(box(0.28, 0.13, 0.74, 0.1), 0, 0, 0.05),
        on(box(0.25, 0.18, 0.16, 0.1), 0, -0.04, 0.62),
        on(box(0.25, 0.17, 0.14, 0.1), 0, -0.03, -0.5),
    )
    places = [(0.16 * (i - 1), 0.12 - 0.13 * j) for i in range(3) for j in range(4)]
    keys = union(*(on(box(0.06, 0.06, 0.045, 0.02), x, -0.14, z) for x, z in places))
    slots = union(*(on(box(0.12, 0.04, 0.016), 0, -0.215, 0.56 + 0.06 * i) for i in range(3)))
    button = box(0.08, 0.06, 0.045, 0.02)
    antenna = on(capsule((0, 0, 0), (0, 0, 0.3), 0.06, 0.045), 0.17, 0.04, 0.76)
    coil = [(-0.44 - 0.04 * x, 0.3 + z, -0.8 + 0.04 * y) for x, y, z in helix(1.0, 0.42, 5.6)]
    cord = tube(coil, 0.032) | capsule((-0.3, 0.5, -0.84), (-0.43, 0.62, -0.8), 0.04)

    caps = patchwork(["f0f0ea", "d8d0a0", "b8c8d8", "e0b8a8"], 107, 0.14, "40404a")
    lcd = striped(mottled("8fbf9a", "6fa07a", 108, 0.1), plain("24402c"), (0.3, 0, 1), 0.09, 0.4)
    return [
        Part(cradle | lip, _phone_base()),
        Part(handset, _phone_shell()),
        Part(keys, caps),
        Part(on(box(0.2, 0.06, 0.13, 0.02), 0, -0.115, 0.34), lcd),
        Part(slots, plain("121214")),
        Part(on(button, -0.14, -0.17, -0.42), plain("2f9e44")),
        Part(on(button, 0.14, -0.17, -0.42), plain("d03a2a")),
        Part(antenna, striped(plain("3a3c40"), plain("b8bcc2"), (0, 0, 1), 0.12, 0.0)),
        Part(box(0.1, 0.05, 0.04, 0.01).at(-0.22, -0.56, -0.72), plain("f0e040")),
        Part(cord, striped(plain("17171a"), plain("6c6c72"), (0, 1, 0), 0.2, 0.1)),
    ]


def _phone_shell() -> Colour:
    on = _on_handset
    wine, rose = mottled("74283a", "521826", 101, 0.2), mottled("b8647a", "98465c", 102, 0.2)
    shell = painted(
        striped(wine, rose, (0.3, 0.5, 1), 0.42, 0.5),
        (on(box(0.22, 0.2, 0.15), 0.0, 0.16, 0.3), plain("e8dcc0")),
        (on(box(0.2, 0.2, 0.1), -0.1, 0.16, -0.2), patchwork(["d8a83a", "3a7a8a", "e0e0d8"], 103, 0.12)),
        (
            on(box(0.1, 0.06, 0.36), -0.3, 0.02, 0.2),
            striped(plain("3a8a8a"), plain("e0dcc8"), (0, 0.4, 1), 0.16),
        ),
        (on(box(0.1, 0.08, 0.2), 0.3, -0.02, 0.34), plain("e0a83a")),
        (on(box(0.1, 0.08, 0.16), 0.3, 0.04, -0.2), spotted(plain("28406a"), ["f0ece0"], 109, 0.13)),
        (on(box(0.12, 0.3, 0.1), -0.12, 0, 0.8), plain("e6e0d0")),
    )
    return lettered(shell, "TEL", "1c2a5a", (0, 0.06, 0.43), 0.2, facing=(0, 1, 0.25), depth=0.2)


def _phone_base() -> Colour:
    base = patched(
        mottled("34363c", "4a4c54", 104, 0.3), mottled("7c828a", "686e76", 105, 0.3), 106, 0.6, 0.2
    )
    return painted(
        base,
        (
            box(0.5, 0.1, 0.3).at(0.1, -0.45, -0.8),
            striped(plain("c8b46a"), plain("3a3c40"), (1, 0.3, 0), 0.14, 0.1),
        ),
        (box(0.1, 0.5, 0.06).at(0.44, 0.1, -0.84), plain("c8402c")),
        (box(0.1, 0.2, 0.06).at(-0.44, -0.2, -0.84), plain("3a8ac0")),
        (box(0.3, 0.1, 0.06).at(0.14, 0.66, -0.84), plain("d8d4c4")),
        (box(0.09, 0.2, 0.1).at(0.33, 0.38, -0.74), plain("4a9a5a")),
        (box(0.3, 0.06, 0.1).at(0.1, -0.68, -0.76), plain("8a3a8a")),
    )
