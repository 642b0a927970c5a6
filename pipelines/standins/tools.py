"""Stand-ins for tools: benchvise, driller and holepuncher. Conventions: see `shapes`."""

from pipelines.standins.materials import (
    Colour,
    Part,
    lettered,
    mottled,
    painted,
    patched,
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
    cylinder,
    ellipsoid,
    helix,
    sphere,
    tube,
    union,
)

_HAZARD = striped(plain("e8c020"), plain("1c1c1e"), (1, 0.5, 1), 0.2, 0.0)


def _around(shape: Shape, count: int, axis: str) -> Shape:
    """Copies of a shape turned evenly about an axis."""
    return union(*(shape.turned(axis, 360 * i / count) for i in range(count)))


def benchvise() -> list[Part]:
    """A bench vise: round foot, two jaws, screw with a tilted handle, small anvil."""
    foot = cylinder(0.46, 0.07, 0.03).at(0, 0, -0.78) | cone(0.34, 0.22, 0.16).at(0, 0, -0.6)
    foot |= _around(cylinder(0.12, 0.06).at(0.48, 0, -0.79), 3, "z").turned("z", 30)
    rear = blend(
        0.06,
        box(0.3, 0.24, 0.16, 0.05).at(-0.05, 0, -0.32),
        box(0.16, 0.34, 0.3, 0.05).at(-0.28, 0, 0.05),
        cylinder(0.2, 0.28, 0.03).turned("y", 90).at(-0.5, 0, -0.25),
    )
    front = blend(
        0.05, box(0.14, 0.34, 0.24, 0.05).at(0.42, 0, 0.12), box(0.12, 0.16, 0.2, 0.04).at(0.46, 0, -0.15)
    )
    jaws = box(0.06, 0.4, 0.12, 0.01).at(-0.1, 0, 0.29) | box(0.06, 0.4, 0.12, 0.01).at(0.24, 0, 0.31)
    screw = capsule((0.8, 0, -0.25), (0.98, 0, -0.25), 0.1)
    screw |= cylinder(0.045, 0.48, 0.01).turned("x", 20).at(0.98, 0, -0.2)
    balls = sphere(0.08).at(0.98, -0.16, 0.25) | sphere(0.08).at(0.98, 0.16, -0.65)

    blue = patched(mottled("1f55a8", "163a73", 111, 0.25), steel(112), 115, 0.25, 0.42)
    moving = painted(
        blue,
        (box(0.1, 0.5, 0.06).at(0.56, 0, 0.2), plain("e8c020")),
        (box(0.3, 0.1, 0.12).at(0.42, 0.34, 0.05), plain("d8d2be")),
    )
    plate = painted(
        mottled("24406a", "3a5a8a", 116, 0.2),
        (box(0.3, 0.8, 0.3).at(0.4, 0, -0.78), _HAZARD),
        (box(0.5, 0.3, 0.3).at(-0.2, -0.42, -0.78), mottled("8a2a24", "6a1c18", 117)),
    )
    teeth = striped(plain("c8cbd0"), plain("6a6e76"), (0, 1, 1), 0.09, 0.0)
    return [
        Part(foot, plate),
        Part(rear, _vise_panel(blue)),
        Part(front, moving),
        Part(box(0.62, 0.11, 0.1, 0.02).at(0.25, 0, -0.25), steel(118)),
        Part(jaws, painted(teeth, (box(0.3, 0.14, 0.3).at(0.05, 0.3, 0.3), steel(121)))),
        Part(screw, striped(steel(124), plain("50545c"), (1, 0, 1), 0.13, 0.1)),
        Part(balls, mottled("c8322a", "e8a020", 127, 0.2)),
        Part(box(0.22, 0.2, 0.08, 0.02).at(-0.62, 0, 0.13), steel(128)),
        Part(capsule((-0.1, 0.16, -0.48), (-0.1, 0.6, -0.62), 0.045), steel(131)),
        Part(sphere(0.08).at(-0.1, 0.62, -0.63), plain("2f8a4a")),
    ]


def _vise_panel(blue: Colour) -> Colour:
    panel = painted(
        blue,
        (box(0.2, 0.5, 0.14).at(-0.28, -0.2, 0.06), plain("e6e0cc")),
        (box(0.3, 0.2, 0.08).at(-0.25, 0.35, -0.05), _HAZARD),
        (box(0.1, 0.12, 0.3).at(-0.76, 0.05, -0.25), plain("c8502a")),
    )
    return lettered(panel, "XL", "b02a20", (-0.28, -0.34, 0.06), height=0.21, facing=(0, -1, 0))


def driller() -> list[Part]:
    """A cordless drill: motor, grip, battery, chuck and a twisted bit."""
    motor = blend(
        0.05,
        cylinder(0.2, 0.32, 0.06).turned("y", 90).at(-0.25, 0, 0.5),
        cylinder(0.17, 0.2, 0.04).turned("y", 90).at(0.12, 0, 0.5),
        ellipsoid(0.12, 0.19, 0.2).at(-0.56, 0, 0.5),
    )
    grip = blend(
        0.06,
        capsule((-0.28, 0, 0.35), (-0.4, 0, -0.35), 0.13, 0.12),
        box(0.1, 0.09, 0.12, 0.04).at(-0.16, 0, 0.25),
    )
    battery = box(0.3, 0.18, 0.1, 0.04).at(-0.36, 0, -0.62) | box(0.24, 0.14, 0.08, 0.02).at(-0.38, 0, -0.47)
    chuck = cone(0.16, 0.09, 0.13).turned("y", 90).at(0.42, 0, 0.5)
    chuck |= _around(box(0.1, 0.025, 0.03).at(0, 0, 0.13), 8, "x").at(0.42, 0, 0.5)
    collar = cylinder(0.18, 0.045, 0.01).turned("y", 90).at(0.31, 0, 0.5)
    bit = capsule((0.5, 0, 0.5), (1.02, 0, 0.5), 0.038)
    bit |= tube(helix(0.04, 0.44, 4), 0.028).turned("y", 90).at(0.56, 0, 0.5)
    vents = union(*(box(0.018, 0.21, 0.1).at(-0.52 + 0.06 * i, 0, 0.52) for i in range(3)))

    rubber = spotted(mottled("222226", "38383e", 145, 0.12), ["4e4e54", "c89a18"], 146, 0.1, 0.35)
    rubber = painted(rubber, (box(0.08, 0.06, 0.16).at(-0.34, 0.12, 0.02), plain("b8b4a8")))
    bands = striped(plain("6a6e76"), plain("2c2e34"), (1, 0.3, 0.2), 0.1, 0.1)
    return [
        Part(motor, _drill_case()),
        Part(grip, rubber),
        Part(battery, _drill_battery()),
        Part(chuck, painted(bands, (box(0.2, 0.05, 0.2).at(0.42, 0.14, 0.5), plain("d8d4c8")))),
        Part(collar, striped(plain("b8322a"), plain("e8d8b0"), (0, 1, 1), 0.13, 0.1)),
        Part(bit, steel(148)),
        Part(box(0.06, 0.06, 0.1, 0.03).at(-0.12, 0, 0.22), plain("cc2222")),
        Part(vents, plain("141416")),
        Part(
            cylinder(0.09, 0.06, 0.01).at(0, 0, 0.7),
            striped(plain("d0d0d0"), plain("303034"), (1, 1, 0), 0.09, 0.0),
        ),
        Part(sphere(0.06).at(0.2, 0, 0.33), plain("e8f0f4")),
    ]


def _drill_case() -> Colour:
    yellow = patched(mottled("e8b81e", "d09a10", 141, 0.2), mottled("9a9488", "7a746a", 142), 143, 0.2, 0.5)
    case = painted(
        yellow,
        (box(0.06, 0.4, 0.4).at(0.05, 0, 0.5), plain("1c1c20")),
        (box(0.17, 0.3, 0.12).at(-0.2, -0.2, 0.49), plain("1e1e22")),
        (box(0.2, 0.2, 0.05).at(-0.2, 0.22, 0.55), plain("c8281e")),
        (box(0.12, 0.2, 0.05).at(-0.28, 0.22, 0.42), plain("2a5fa8")),
        (box(0.2, 0.2, 0.3).at(-0.66, 0, 0.5), mottled("2c2c30", "65656a", 144, 0.1)),
    )
    return lettered(case, "18V", "f4f0e0", (-0.2, -0.18, 0.49), height=0.15, facing=(0, -1, 0))


def _drill_battery() -> Colour:
    return painted(
        mottled("2a2a30", "54545c", 147, 0.15),
        (box(0.5, 0.3, 0.04).at(-0.36, 0, -0.66), plain("d8a818")),
        (box(0.14, 0.1, 0.1).at(-0.42, -0.18, -0.56), plain("e8e4d6")),
        (box(0.1, 0.1, 0.1).at(-0.2, 0.18, -0.56), plain("c8281e")),
        (box(0.05, 0.2, 0.06).at(-0.66, 0, -0.6), plain("3a8ac0")),
    )


def holepuncher() -> list[Part]:
    """An office hole puncher: base with a guide, side frames, pins, a spring, a tilted lever."""
    base = box(0.55, 0.6, 0.09, 0.04).at(0, 0, -0.62) - box(0.3, 0.3, 0.05).at(0, 0.55, -0.52)
    frame = union(
        box(0.07, 0.3, 0.3, 0.03).at(-0.34, 0.05, -0.3),
        box(0.07, 0.3, 0.3, 0.03).at(0.34, 0.05, -0.3),
        box(0.4, 0.12, 0.07, 0.02).at(0, 0.3, -0.32),
    )
    lever = blend(0.05, box(0.42, 0.52, 0.09, 0.06), box(0.3, 0.2, 0.08, 0.05).at(0, -0.5, 0.05))
    lever = lever.turned("x", -20).at(0, -0.1, 0.18)
    pins = cylinder(0.06, 0.28).at(-0.22, 0.32, -0.28) | cylinder(0.06, 0.28).at(0.22, 0.32, -0.28)
    spring = tube(helix(0.1, 0.42, 4), 0.028).at(0, -0.05, -0.54)
    guide = box(0.5, 0.04, 0.03).at(0.25, 0.48, -0.56) | box(0.04, 0.08, 0.05).at(0.72, 0.48, -0.55)

    ruler = striped(plain("e8e4d0"), plain("303036"), (1, 0, 0), 0.1, 0.0)
    side = painted(
        steel(159),
        (box(0.1, 0.16, 0.14).at(0.4, 0.05, -0.3), plain("3a6ab0")),
        (box(0.1, 0.1, 0.2).at(-0.42, 0.1, -0.3), _HAZARD),
    )
    return [
        Part(base, _punch_tray(ruler)),
        Part(frame, side),
        Part(lever, _punch_lid()),
        Part(pins, striped(plain("c0c3c8"), plain("808890"), (0, 0, 1), 0.1, 0.1)),
        Part(cylinder(0.06, 0.46).turned("y", 90).at(0, 0.22, -0.08), steel(162)),
        Part(spring, mottled("d0b070", "9a8040", 165, 0.1)),
        Part(guide, ruler),
        Part(sphere(0.07).at(0.44, -0.52, -0.5), plain("e0a020")),
    ]


def _punch_lid() -> Colour:
    red = patched(mottled("b8242c", "8f161e", 151, 0.22), steel(152), 155, 0.2, 0.55)
    tape = striped(plain("e8c020"), plain("24242a"), (1, 0.4, 0), 0.13, 0.0)
    underside = box(0.6, 0.9, 0.3).turned("x", -20).at(0, -0.1, -0.16)
    lid = painted(
        red,
        (box(0.33, 0.18, 0.3).at(-0.03, 0.12, 0.22), plain("f0ead8")),
        (box(0.5, 0.07, 0.4).at(0, -0.16, 0.35), tape),
        (box(0.12, 0.2, 0.4).at(0.2, -0.5, 0.4), plain("2a6ab0")),
        (box(0.1, 0.3, 0.1).at(-0.42, -0.1, 0.2), plain("e8e2d0")),
        (underside, mottled("4a4e56", "7a7e86", 156, 0.15)),
    )
    return lettered(
        lid, "PUNCH", "20242c", (-0.03, 0.12, 0.2), height=0.17, facing=(0, 0.34, 0.94), up=(0, 1, 0)
    )


def _punch_tray(ruler: Colour) -> Colour:
    black = spotted(mottled("26262c", "44444c", 157, 0.2), ["68686e", "9a9aa0"], 158, 0.14, 0.3)
    return painted(
        black,
        (box(0.6, 0.04, 0.03).at(0, -0.6, -0.6), plain("e8e4d6")),
        (box(0.5, 0.06, 0.1).at(0, -0.47, -0.54), ruler),
        (box(0.06, 0.3, 0.06).at(-0.55, 0.1, -0.62), plain("3a8a5a")),
        (box(0.06, 0.16, 0.06).at(0.55, -0.2, -0.62), plain("c8782a")),
        (box(0.28, 0.2, 0.06).at(0.2, 0.62, -0.64), plain("8a3a9a")),
    )
