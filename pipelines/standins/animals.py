"""Stand-ins for the figurines: ape, cat and duck. Conventions: see `shapes`."""

from pipelines.standins.materials import (
    Colour,
    Part,
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
    mirrored,
    sphere,
    torus,
    tube,
)


def ape() -> list[Part]:
    """A sitting monkey in a striped shirt with a number on its back, holding a banana."""
    body = blend(
        0.12,
        ellipsoid(0.4, 0.36, 0.5).at(0, 0, -0.3),
        capsule((-0.33, 0, 0.02), (-0.54, 0.24, -0.42), 0.14, 0.11),
        capsule((0.33, 0, 0.02), (0.5, 0.34, -0.22), 0.14, 0.11),
    )
    hands = ellipsoid(0.12, 0.13, 0.12).at(-0.54, 0.29, -0.5)
    hands |= ellipsoid(0.12, 0.13, 0.12).at(0.49, 0.43, -0.17)
    legs = blend(
        0.08,
        capsule((-0.22, 0.1, -0.66), (-0.36, 0.44, -0.76), 0.18, 0.13),
        capsule((0.22, 0.1, -0.66), (0.38, 0.4, -0.78), 0.18, 0.13),
    )
    feet = ellipsoid(0.12, 0.17, 0.1).at(-0.42, 0.62, -0.8)
    feet |= ellipsoid(0.12, 0.17, 0.1).at(0.44, 0.56, -0.8)
    head = ellipsoid(0.37, 0.34, 0.34).at(0, 0.03, 0.4)
    face = blend(
        0.06,
        ellipsoid(0.22, 0.17, 0.15).at(0, 0.31, 0.27),
        mirrored(ellipsoid(0.12, 0.1, 0.14).at(0.1, 0.27, 0.48)),
    )
    ears = mirrored(ellipsoid(0.1, 0.06, 0.14).at(0.39, 0.02, 0.42))
    eyes = mirrored(sphere(0.055).at(0.1, 0.36, 0.5))
    mouth = box(0.11, 0.1, 0.018).at(0.02, 0.46, 0.22)
    cap = ellipsoid(0.36, 0.33, 0.2).at(0, -0.01, 0.6) & box(0.5, 0.5, 0.2).at(0, 0, 0.74)
    peak = ellipsoid(0.2, 0.24, 0.04).at(0.06, 0.34, 0.62)
    banana_line = [(0.5, 0.44, -0.34), (0.54, 0.54, -0.12), (0.5, 0.58, 0.08), (0.4, 0.52, 0.24)]
    banana = tube(curve(banana_line), 0.08, 0.05)
    tail_line = [(-0.1, -0.34, -0.66), (-0.34, -0.5, -0.74), (-0.6, -0.4, -0.72)]
    tail = tube(curve([*tail_line, (-0.72, -0.16, -0.6)]), 0.07, 0.06)

    fur = mottled("4b2c1a", "80532f", 21, 0.2)
    skin = mottled("dfae80", "c48a5b", 22, 0.2)
    hat = painted(plain("2f7d46"), (box(0.3, 0.6, 0.5).at(0.3, 0, 0.7), plain("e9e2cf")))
    return [
        Part(body, _shirt()),
        Part(legs, painted(fur, (box(0.5, 0.9, 0.3).at(0.5, 0.2, -0.8), plain("3d4f7a")))),
        Part(tail, striped(fur, skin, (1, 0.4, 0), 0.17, 0.2)),
        Part(head, fur),
        Part(face, painted(skin, (mouth, plain("5a1e16")))),
        Part(ears | hands | feet, skin),
        Part(eyes, plain("141210")),
        Part(cap, spotted(hat, ["f3d34a", "c8342c"], 24, 0.22)),
        Part(peak, plain("1f5a32")),
        Part(banana, mottled("f2d22e", "8a6a14", 25, 0.12, threshold=0.25)),
    ]


def _shirt() -> Colour:
    cloth = striped(plain("d8d2c0"), mottled("b3262b", "8c1a20", 23), (0.12, 0.1, 1), 0.2, 0.15)
    sleeve = striped(plain("2a5fa8"), plain("e8b93a"), (0.3, 0.8, 1), 0.16, 0.1)
    shirt = painted(
        cloth,
        (box(0.4, 0.9, 0.9).at(-0.78, 0, 0), sleeve),
        (box(0.16, 0.1, 0.2).at(0.18, 0.36, -0.22), plain("2e8b57")),
        (box(0.24, 0.3, 0.26).at(0, -0.4, -0.2), plain("f2ecd8")),
    )
    return lettered(shirt, "7", "182440", (0, -0.4, -0.2), height=0.42, facing=(0, -1, 0))


def cat() -> list[Part]:
    """A calico kitten in mid-step, head turned, tail curled up, with a collar and a bell."""
    body = blend(
        0.13,
        ellipsoid(0.26, 0.5, 0.29).at(0, -0.12, -0.2),
        ellipsoid(0.25, 0.27, 0.29).at(0, -0.42, -0.28),
        ellipsoid(0.22, 0.24, 0.27).at(0.01, 0.24, -0.18),
        capsule((0, 0.2, -0.1), (0.05, 0.42, 0.2), 0.2, 0.17),
    )
    head = blend(
        0.08,
        ellipsoid(0.29, 0.25, 0.25).at(0.06, 0.5, 0.36),
        mirrored(ellipsoid(0.13, 0.13, 0.11).at(0.19, 0, 0)).at(0.06, 0.56, 0.28),
    )
    tail_line = [(0.02, -0.62, -0.15), (0.06, -0.8, -0.05), (0.14, -0.92, 0.14), (0.2, -0.9, 0.36)]
    tail = tube(curve([*tail_line, (0.18, -0.78, 0.54), (0.1, -0.68, 0.62), (0.02, -0.7, 0.7)]), 0.1, 0.07)
    muzzle = mirrored(ellipsoid(0.1, 0.1, 0.08).at(0.065, 0, 0)).at(0.06, 0.73, 0.28)
    muzzle |= ellipsoid(0.07, 0.07, 0.05).at(0.06, 0.7, 0.19)
    eyes = mirrored(ellipsoid(0.07, 0.045, 0.075).at(0.125, 0, 0)).at(0.06, 0.7, 0.44)
    pupils = mirrored(box(0.018, 0.08, 0.055).at(0.125, 0, 0)).at(0.06, 0.73, 0.44)
    ear, inner_ear = cone(0.14, 0.015, 0.16), cone(0.09, 0.01, 0.12)

    cream, ginger, black, coat = _cat_fur()
    face = painted(
        coat,
        (ellipsoid(0.07, 0.4, 0.3).at(0.06, 0.66, 0.45), cream),
        (box(0.2, 0.3, 0.16).at(-0.15, 0.5, 0.52), ginger),
        (box(0.2, 0.3, 0.2).at(0.32, 0.5, 0.5), black),
    )
    iris = painted(mottled("8fce3c", "5aa02c", 17, 0.1), (pupils, plain("101410")))
    return [
        Part(body, coat),
        Part(head, face),
        Part(_cat_legs(), _cat_socks()),
        Part(tail, striped(ginger, black, (0.1, -0.4, 1), 0.24, 0.2)),
        Part(ear.turned("y", -16).at(-0.13, 0.47, 0.68), ginger),
        Part(ear.turned("y", 16).at(0.25, 0.47, 0.68), black),
        Part(inner_ear.turned("y", -16).at(-0.12, 0.55, 0.65), plain("e7a7a0")),
        Part(inner_ear.turned("y", 16).at(0.24, 0.55, 0.65), plain("e7a7a0")),
        Part(muzzle, mottled("f7f1e6", "e6d6c4", 19, 0.12)),
        Part(ellipsoid(0.05, 0.045, 0.035).at(0.06, 0.81, 0.34), plain("d8646c")),
        Part(eyes, iris),
        Part(
            torus(0.215, 0.045).turned("x", -32).at(0.045, 0.36, 0.12),
            spotted(plain("b3122c"), ["f4e3a1", "ffffff"], 18, 0.13),
        ),
        Part(sphere(0.085).at(0.06, 0.6, -0.01), mottled("f0c22e", "9a6b0c", 20, 0.12)),
        Part(box(0.07, 0.03, 0.07, 0.02).at(-0.14, 0.52, 0), plain("2c6fd1")),
    ]


def _cat_fur() -> tuple[Colour, Colour, Colour, Colour]:
    """Cream, striped ginger, black, and the coat that mixes the three."""
    cream = mottled("f1e8d8", "ddcdb2", 11, 0.25)
    light, dark = mottled("d9862f", "c26a1c", 12), mottled("8f4413", "a9561b", 13)
    ginger = striped(light, dark, (0.2, 1, 0.25), 0.16, 0.3)
    black = mottled("2b2524", "4a3d38", 14, 0.2)
    coat = patched(patched(cream, ginger, 15, 0.5, -0.08), black, 16, 0.4, 0.22)
    return cream, ginger, black, coat


def _cat_socks() -> Colour:
    """The coat of the legs: each foot its own."""
    cream, ginger, black, coat = _cat_fur()
    return painted(
        coat,
        (box(0.2, 0.4, 0.22).at(-0.2, 0.4, -0.8), cream),
        (box(0.2, 0.4, 0.14).at(0.2, 0.4, -0.8), spotted(cream, ["c26a1c", "2b2524"], 10, 0.14)),
        (box(0.2, 0.4, 0.26).at(-0.2, -0.3, -0.8), black),
        (box(0.2, 0.4, 0.18).at(0.2, -0.6, -0.8), ginger),
    )


def _cat_legs() -> Shape:
    paw = ellipsoid(0.1, 0.14, 0.07)
    return blend(
        0.07,
        capsule((-0.15, 0.25, -0.2), (-0.17, 0.42, -0.74), 0.12, 0.09),
        capsule((0.16, 0.22, -0.2), (0.17, 0.24, -0.76), 0.12, 0.09),
        capsule((-0.19, -0.42, -0.35), (-0.22, -0.3, -0.76), 0.17, 0.09),
        capsule((0.19, -0.45, -0.35), (0.2, -0.62, -0.74), 0.17, 0.09),
        paw.at(-0.17, 0.47, -0.78),
        paw.at(0.17, 0.29, -0.79),
        paw.at(-0.22, -0.25, -0.79),
        paw.at(0.2, -0.57, -0.79),
    )


def duck() -> list[Part]:
    """A bath duck with a top hat, a striped scarf and one feathered wing unlike the other."""
    body = blend(
        0.12,
        ellipsoid(0.44, 0.62, 0.36).at(0, -0.05, -0.25),
        sphere(0.34).at(0, 0.32, 0.36),
        capsule((0, 0.2, 0), (0, 0.3, 0.2), 0.26),
        capsule((0, -0.5, -0.15), (0.04, -0.86, 0.14), 0.2, 0.05),
    )
    wing_left = ellipsoid(0.11, 0.36, 0.2).turned("x", 18).at(-0.42, -0.12, -0.16)
    wing_right = ellipsoid(0.11, 0.36, 0.2).turned("x", 18).at(0.42, -0.12, -0.16)
    bill = blend(
        0.04,
        ellipsoid(0.18, 0.21, 0.05).at(0, 0.67, 0.3),
        ellipsoid(0.14, 0.15, 0.05).at(0, 0.62, 0.21),
    )
    eyes = mirrored(ellipsoid(0.065, 0.05, 0.075).at(0.17, 0.57, 0.47))
    brim = cylinder(0.32, 0.03, 0.01).turned("x", 8).at(0.02, 0.27, 0.62)
    crown = cone(0.21, 0.19, 0.17).turned("x", 8).at(0.02, 0.25, 0.8)
    band = cone(0.222, 0.217, 0.05).turned("x", 8).at(0.02, 0.266, 0.69)
    feather = tube(curve([(0.22, 0.2, 0.66), (0.3, 0.12, 0.86), (0.26, 0.0, 1.04)]), 0.05, 0.03)
    scarf = torus(0.29, 0.075).turned("x", -12).at(0, 0.26, 0.1)
    scarf |= capsule((0.22, 0.45, 0.02), (0.32, 0.52, -0.28), 0.07, 0.08)

    feathers = striped(mottled("e6a91c", "d68c10", 37), plain("8a4f10"), (0, 1, 0.3), 0.14, 0.3)
    blue_wing = striped(plain("2f8f8a"), plain("e8e2c0"), (0, 0.5, 1), 0.11, 0.3, 38)
    knit = striped(plain("c22a2a"), plain("f0ead8"), (1, 0.6, 0.6), 0.16, 0.1)
    felt = spotted(mottled("253a7a", "16244f", 39), ["f0d060", "8fb4e8"], 40, 0.19, 0.3)
    return [
        Part(body, _plumage()),
        Part(wing_left, blue_wing),
        Part(wing_right, feathers),
        Part(bill, mottled("ea7420", "b8430a", 41, 0.16)),
        Part(eyes, plain("101014")),
        Part(brim | crown, felt),
        Part(band, plain("c8322a")),
        Part(feather, striped(plain("2ea04a"), plain("f2f2e4"), (0, 0, 1), 0.1)),
        Part(scarf, knit),
    ]


def _plumage() -> Colour:
    yellow = mottled("f5d233", "e59a1a", 31, 0.35, 0.1)
    down = patched(yellow, mottled("f7ecc4", "f3dc8a", 32), 33, 0.35, 0.22)
    belly = patched(mottled("e2782a", "cf5f1c", 34), down, 35, 0.25, -0.1)
    plumage = painted(
        down,
        (box(0.7, 0.9, 0.17).at(0, 0, -0.6), belly),
        (sphere(0.2).at(-0.34, 0.38, 0.36), plain("e06a4a")),
        (ellipsoid(0.16, 0.3, 0.3).at(0.04, -0.8, 0.1), plain("8a5a20")),
    )
    return spotted(plumage, ["c97a12", "fff3c8", "b8641a"], 36, 0.3, 0.3)
