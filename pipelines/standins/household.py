"""Stand-ins for household things: can, eggbox, glue and lamp. Conventions: see `shapes`."""

import numpy as np

from pipelines.standins.materials import (
    Colour,
    Part,
    faded,
    lettered,
    mottled,
    painted,
    patched,
    plain,
    spotted,
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
    sphere,
    torus,
    tube,
    twin,
    union,
)


def can() -> list[Part]:
    """An enamel watering can with painted flowers, lettering, a long spout and two handles."""
    body = cylinder(0.42, 0.42, 0.05).at(0, -0.05, -0.25) - cylinder(0.3, 0.2).at(0, 0.12, 0.32)
    hoops = torus(0.41, 0.045).at(0, -0.05, -0.64) | torus(0.41, 0.045).at(0, -0.05, 0.14)
    dome = ellipsoid(0.39, 0.39, 0.22).at(0, -0.05, 0.14) & box(0.5, 0.26, 0.5).at(0, -0.3, 0.3)
    spout = tube(curve([(0, 0.3, -0.5), (0, 0.5, -0.25), (0, 0.66, 0.1), (0, 0.8, 0.5)]), 0.1, 0.055)
    rose = cone(0.06, 0.18, 0.07).turned("x", -35).at(0, 0.85, 0.56)
    sieve = cylinder(0.17, 0.025).turned("x", -35).at(0, 0.895, 0.63)
    handle_line = [(0, -0.4, -0.45), (0, -0.7, -0.35), (0, -0.8, -0.02), (0, -0.64, 0.26)]
    handle = tube(curve([*handle_line, (0, -0.3, 0.33)]), 0.06)
    bail_line = [(0.05, -0.28, 0.3), (0.05, -0.12, 0.6), (0, 0.12, 0.68), (0, 0.28, 0.45)]
    bail = tube(curve([*bail_line, (0, 0.33, 0.14)]), 0.05)

    green = patched(mottled("2a6a44", "1a4a30", 66, 0.2), plain("c8b890"), 67, 0.22, 0.45)
    wood = striped(mottled("b08a4a", "96703a", 68), plain("5d3a1a"), (0.2, 1, 0.4), 0.12, 0.3)
    return [
        Part(body, _can_enamel()),
        Part(hoops, striped(plain("c8322a"), plain("e8d8a8"), (1, 0.6, 0), 0.22, 0.1)),
        Part(dome, mottled("c04a2a", "e08a3a", 71, 0.16)),
        Part(spout, striped(green, plain("d8a030"), (0, 0.6, 0.8), 0.24, 0.2)),
        Part(rose, green),
        Part(sieve, spotted(plain("d0a840"), ["2a2010"], 69, 0.08, 0.4)),
        Part(handle, striped(green, plain("123020"), (0, 0.4, 1), 0.2, 0.2)),
        Part(bail, wood),
        Part(capsule((0, 0.36, 0.05), (0, 0.64, 0.16), 0.04), plain("a0a4aa")),
        Part(sphere(0.09).at(0.2, -0.2, 0.33), plain("f1c40f")),
    ]


def _can_enamel() -> Colour:
    cream = mottled("efe6d0", "d8c49a", 61, 0.3)
    flowers = spotted(cream, ["d8342c", "2f6fc0", "e8a020", "a03a8a", "2f8a4a"], 62, 0.26, 0.46)
    enamel = painted(
        flowers,
        (box(0.6, 0.6, 0.13).at(0, 0, -0.6), mottled("2f7a3c", "74a83a", 63, 0.12)),
        (box(0.3, 0.5, 0.13).at(0.42, -0.05, -0.2), plain("24407a")),
    )
    enamel = lettered(enamel, "H2O", "f4e6b0", (0.42, -0.05, -0.2), height=0.2, facing=(1, 0, 0))
    rust = patched(enamel, mottled("8a4a20", "5a2c12", 64, 0.1), 65, 0.3, 0.62)
    inside = box(0.31, 0.5, 0.3).at(0, 0.1, 0.1) & cylinder(0.32, 0.3).at(0, 0.12, 0.1)
    return painted(rust, (inside, mottled("3a6a9a", "6aa0c8", 70, 0.12)))


def eggbox() -> list[Part]:
    """An open egg carton, two rows of three: scalloped grey pulp, posts, four eggs.

    Invariant under half a turn about z: every part is a twin or a body of revolution about z.
    """
    pitch = 0.5
    sites = [(pitch * i, side * pitch / 2) for i in (-1, 0, 1) for side in (-1, 1)]
    cups = blend(0.14, *(cone(0.17, 0.275, 0.26, 0.03).at(x, y, -0.16) for x, y in sites))
    cups &= box(0.8, 0.55, 0.27).at(0, 0, -0.155)
    notch = union(  # the wavy upper edge of moulded pulp
        *(cylinder(0.13, 0.7).turned("x", 90).at(x, 0, 0.2) for x in (-pitch / 2, pitch / 2)),
        cylinder(0.13, 1.0).turned("y", 90).at(0, 0, 0.2),
    )
    wall = box(0.8, 0.55, 0.1, 0.05).at(0, 0, 0.06) - notch
    hollows = union(*(cone(0.12, 0.25, 0.27).at(x, y, -0.08) for x, y in sites))
    post = cone(0.15, 0.06, 0.24, 0.02).at(pitch / 2, 0, 0.14)
    peak = cone(0.09, 0.05, 0.06, 0.02).at(pitch / 2, 0, 0.34)
    egg = blend(0.12, ellipsoid(0.2, 0.2, 0.2), ellipsoid(0.15, 0.15, 0.2).at(0, 0, 0.08))
    tab = box(0.13, 0.05, 0.06, 0.02).at(0.25, 0.57, 0.04)
    latch = box(0.05, 0.1, 0.05, 0.02).at(0.82, 0.25, 0.05)

    shell = spotted(mottled("c98a58", "dca878", 86, 0.2), ["8a4f2a", "6a3a1c"], 87, 0.1, 0.3)
    pale = spotted(mottled("efe4d2", "e2cdb0", 88, 0.2), ["b89a7a", "6a8ab0"], 89, 0.12, 0.25)
    return [
        Part((cups | wall | twin(post)) - hollows, _carton(hollows)),
        Part(twin(peak), mottled("4f7a5a", "3a5f48", 90, 0.15)),
        Part(twin(egg.at(pitch, -pitch / 2, 0.08)), shell),
        Part(twin(egg.at(0, pitch / 2, 0.08)), pale),
        Part(twin(tab), plain("2f6f5a")),
        Part(twin(latch), plain("d8763a")),
    ]


def _carton(hollows: Shape) -> Colour:
    pulp = spotted(mottled("8f8a80", "a8a294", 81, 0.3), ["6d6a64", "c8c2b2", "5a7a9a"], 82, 0.13, 0.3)
    carton = painted(
        patched(pulp, mottled("6a8a6a", "7fa07a", 83, 0.15), 84, 0.5, 0.3),
        (twin(box(0.26, 0.3, 0.17).at(-0.5, 0.55, -0.18)), plain("b83a4a")),
        (twin(box(0.27, 0.3, 0.06).at(0.48, 0.5, -0.3)), plain("2f5f9a")),
        (twin(box(0.14, 0.3, 0.06).at(0, 0.55, -0.1)), plain("3f8a6a")),
        (twin(box(0.3, 0.2, 0.06).at(0.85, -0.2, 0.06)), plain("d8a83a")),
        (twin(box(0.16, 0.1, 0.05).at(-0.16, 0.58, 0.05)), plain("7a4a8a")),
    )
    for sign in (1, -1):
        center = (-0.5 * sign, 0.5 * sign, -0.17)
        carton = lettered(carton, "EGG", "f4ead0", center, height=0.17, facing=(0, sign, 0), depth=0.25)
    inside = striped(mottled("6d665c", "857d70", 85, 0.15), plain("5a544c"), (0, 0, 1), 0.13, 0.4)
    return painted(carton, (hollows, inside))


def glue() -> list[Part]:
    """A flat bottle of glue with a printed label on front and back, and a ribbed twist cap.

    Invariant under half a turn about z: front and back, left and right are twins.
    """
    body = box(0.42, 0.2, 0.56, 0.12).at(0, 0, -0.42) & ellipsoid(0.48, 0.32, 1.5).at(0, 0, -0.42)
    shoulder = cone(0.34, 0.13, 0.16).at(0, 0, 0.18) & box(0.34, 0.2, 0.2).at(0, 0, 0.16)
    ribs = []
    for angle in 2 * np.pi * np.arange(5) / 10:
        x, y = np.cos(angle), np.sin(angle)
        ribs.append(twin(capsule((0.13 * x, 0.13 * y, 0.44), (0.09 * x, 0.09 * y, 0.68), 0.03)))
    cap = union(cone(0.145, 0.07, 0.18).at(0, 0, 0.58), *ribs)
    grip = [box(0.03, 0.1, 0.03, 0.01).at(0.42, 0.02, -0.2 - 0.14 * i) for i in range(4)]

    white = mottled("f1ecdc", "d9d0b8", 91, 0.25)
    plastic = spotted(white, ["c8bfa4", "e8d8a0"], 92, 0.14, 0.25)
    window = twin(box(0.12, 0.3, 0.5).at(0.24, 0.1, 0.2))
    red = mottled("d8301e", "a81c10", 95, 0.2)
    return [
        Part(body, _glue_print(plastic)),
        Part(shoulder, painted(plastic, (window, plain("7ab0c8")))),
        Part(cylinder(0.13, 0.08).at(0, 0, 0.36), striped(white, plain("9aa0a8"), (0, 0, 1), 0.07, 0.0)),
        Part(cap, painted(red, (twin(box(0.2, 0.1, 0.1).at(0.12, 0.12, 0.5)), plain("f0c8b0")))),
        Part(cone(0.06, 0.03, 0.1).at(0, 0, 0.84), plain("f0d040")),
        Part(twin(union(*grip)), plain("1c3f86")),
    ]


def _glue_print(plastic: Colour) -> Colour:
    orange, red = mottled("e8952a", "d87a1c", 93, 0.2), mottled("d8402c", "b82a20", 94, 0.2)
    ruler = striped(plain("1f3f8a"), plain("e8e2d0"), (0.5, 0, 1), 0.1, 0.0)
    label = painted(
        faded(orange, red, (0, 0, 1), -0.7, -0.1),
        (twin(box(0.05, 0.3, 0.5).at(-0.32, 0.2, -0.42)), ruler),
        (twin(ellipsoid(0.15, 0.2, 0.15).at(0.22, 0.2, -0.6)), plain("f4dc50")),
        (twin(ellipsoid(0.09, 0.2, 0.09).at(-0.2, 0.2, -0.18)), plain("2f8a5a")),
        (twin(ellipsoid(0.07, 0.2, 0.07).at(0.24, 0.2, -0.2)), plain("f4efe0")),
    )
    for sign in (1, -1):  # the word runs down the bottle, on the front and on the back
        center, up = (-0.02 * sign, 0.18 * sign, -0.42), (sign, 0, 0)
        label = lettered(label, "GLUE", "14204a", center, 0.2, facing=(0, sign, 0), up=up, depth=0.3)
    frame = box(0.6, 0.4, 0.02).at(0, 0, -0.75) | box(0.6, 0.4, 0.02).at(0, 0, -0.09)
    return painted(
        plastic,
        (box(0.5, 0.5, 0.33).at(0, 0, -0.42), label),
        (frame, plain("1f3f8a")),
        (twin(box(0.12, 0.1, 0.06).at(0.16, 0.2, -0.88)), plain("3a8a4a")),
        (twin(box(0.06, 0.2, 0.06).at(-0.3, 0.2, 0.03)), plain("d8301e")),
    )


def lamp() -> list[Part]:
    """A desk lamp: round base, two-part arm with a spring, conical shade and a bulb."""
    base = cylinder(0.42, 0.07, 0.03).at(-0.4, 0, -0.84) | cylinder(0.3, 0.05, 0.02).at(-0.4, 0, -0.76)
    upper = capsule((-0.7, 0, -0.05), (-0.05, 0, 0.62), 0.05) | capsule(
        (-0.6, 0.09, -0.1), (0, 0.09, 0.56), 0.032
    )
    joints = union(
        cylinder(0.12, 0.1, 0.02).turned("x", 90).at(-0.7, 0, -0.05),
        cylinder(0.1, 0.1, 0.02).turned("x", 90).at(-0.05, 0, 0.62),
        sphere(0.11).at(-0.45, 0, -0.74),
    )
    spring = tube(helix(0.075, 0.5, 6), 0.025).turned("y", -18).at(-0.53, -0.12, -0.6)
    shade = cone(0.13, 0.42, 0.26) | cylinder(0.15, 0.1, 0.03).at(0, 0, -0.3)
    shade = (shade - cone(0.07, 0.37, 0.26).at(0, 0, 0.06)).turned("y", 130).at(0.3, 0, 0.5)
    rim = torus(0.41, 0.035).at(0, 0, 0.26).turned("y", 130).at(0.3, 0, 0.5)
    bulb = sphere(0.15).at(0.38, 0, 0.43) | capsule((0.38, 0, 0.43), (0.1, 0, 0.68), 0.06)
    cord_line = [(-0.78, 0.1, -0.84), (-0.92, 0.25, -0.86), (-0.8, 0.42, -0.86), (-0.58, 0.5, -0.86)]

    arm = striped(mottled("3a3a42", "5a5a64", 199, 0.15), plain("c84a2a"), (0.3, 0, 1), 0.3, 0.3)
    arm_upper = striped(mottled("4a4a52", "6a6a74", 200, 0.15), plain("e0b83a"), (1, 0, 1), 0.26, 0.3)
    return [
        Part(base, _lamp_foot()),
        Part(capsule((-0.45, 0, -0.78), (-0.7, 0, -0.05), 0.055), arm),
        Part(upper, arm_upper),
        Part(joints, mottled("c9932a", "8a6010", 201, 0.12)),
        Part(spring, mottled("c8c8cc", "888c94", 202, 0.1)),
        Part(shade, _lamp_shade()),
        Part(rim, striped(plain("c9932a"), plain("5a3a10"), (1, 1, 0.3), 0.2, 0.2)),
        Part(bulb, mottled("f4f0dc", "e8d48a", 203, 0.15)),
        Part(cylinder(0.08, 0.05, 0.01).at(-0.5, -0.22, -0.7), plain("cc2222")),
        Part(box(0.1, 0.06, 0.05, 0.01).at(-0.22, 0.18, -0.7), plain("3a7ac0")),
        Part(tube(curve(cord_line), 0.045), striped(plain("202024"), plain("c8c0b0"), (1, 1, 0), 0.1, 0.1)),
    ]


def _lamp_foot() -> Colour:
    cast = mottled("274a5a", "16303c", 196, 0.25)
    foot = painted(
        patched(cast, mottled("c8a040", "a07c28", 197, 0.15), 198, 0.35, 0.3),
        (
            box(0.14, 0.6, 0.5).at(-0.72, 0, -0.8),
            striped(plain("d8d2be"), plain("8a2a24"), (0, 1, 0), 0.16, 0.0),
        ),
    )
    return lettered(foot, "ON", "f0e6c8", (-0.14, -0.05, -0.74), height=0.2, facing=(0, 0, 1), up=(-1, 0, 0))


def _lamp_shade() -> Colour:
    green = mottled("2f8a63", "1d5442", 191, 0.25)
    cream = mottled("e8d8a0", "d0b870", 192, 0.15)
    dots = spotted(green, ["e8a020", "f0ece0"], 194, 0.18, 0.42)
    stripes = striped(plain("b8342c"), green, (0.6, 0.3, 0.8), 0.16, 0.2)
    inner = cone(0.08, 0.39, 0.27).at(0, 0, 0.06).turned("y", 130).at(0.3, 0, 0.5)
    return painted(
        patched(green, cream, 193, 0.35, 0.25),
        (box(0.9, 0.2, 0.9).at(0.3, 0.45, 0.5), dots),
        (box(0.9, 0.22, 0.9).at(0.3, -0.46, 0.5), stripes),
        (inner, mottled("f0e8cc", "d8c898", 195, 0.2)),
    )
