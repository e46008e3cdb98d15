"""Weight-like arrays in exact IEEE arithmetic, so that another program rebuilds them bit for bit from a few numbers."""

import ml_dtypes
import numpy as np

# The shape of `matrix`.
ROWS, COLUMNS = 24, 192
DTYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}


class Generator:
    """A 64-bit linear congruential generator and the two weight-like distributions made from it.

    The state starts at the seed and advances before each draw: s = (6364136223846793005 s + 1442695040888963407) mod 2^64.
    A draw is u = (s >> 11) / 2^53.
    """

    SPECIFICATION = {
        "state": "s = (s * 6364136223846793005 + 1442695040888963407) mod 2^64, advanced before each draw; "
        "s starts at seed",
        "draw": "u = (s >> 11) / 2^53",
        "heavy": "t = 2u - 1; t2 = t * t; x = ((t2 * t2) * t) * 0.25",
        "gaussish": "four draws u0..u3; x = ((u0 + u1) + (u2 + u3) - 2.0) * 0.02",
        "order": "x in f64; x += offset; x[index] = value for each planted pair; round to f32; round to dtype",
    }

    def __init__(self, seed):
        self.state = seed

    def draw(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2**53

    def heavy(self):
        t = 2 * self.draw() - 1
        t2 = t * t
        return ((t2 * t2) * t) * 0.25

    def gaussish(self):
        u0, u1, u2, u3 = (self.draw() for _ in range(4))
        return ((u0 + u1) + (u2 + u3) - 2.0) * 0.02


def matrix():
    """Heavy-tailed rows; the edges: a row of zeros, a row with one huge weight, a row of subnormals, a row of ties."""
    g = Generator(2024)
    w = np.array([g.heavy() for _ in range(ROWS * COLUMNS)]).astype(np.float32).reshape(ROWS, COLUMNS)
    w[1] = 0
    w[2, 77] = 8.0
    w[3] = np.arange(COLUMNS) % 7 * np.float32(1e-42)
    w[4] = (np.arange(COLUMNS) % 31 - 15) / np.float32(2)
    return w


def weights(recipe):
    """The array of a recipe, as f32 values that its dtype can hold."""
    if recipe["generator"] == "listed":
        return np.array(recipe["values"], dtype=np.float32)
    generator = Generator(recipe["seed"])
    sample = getattr(generator, recipe["generator"])
    x = np.array([sample() for _ in range(recipe["n"])]) + recipe["offset"]
    for index, value in recipe["planted"]:
        x[index] = value
    return x.astype(np.float32).astype(DTYPES[recipe["dtype"]]).astype(np.float32)


def recipe(name, generator, seed, n, dtype, offset=0.0, planted=()):
    return {
        "name": name,
        "generator": generator,
        "seed": seed,
        "n": n,
        "dtype": dtype,
        "offset": offset,
        "planted": [list(pair) for pair in planted],
    }


RECIPES = [
    recipe("heavy42", "heavy", 42, 256, "f32"),
    recipe("gaussish7", "gaussish", 7, 1024, "f32"),
    recipe("heavy_f32", "heavy", 5, 20_000, "f32"),
    recipe("heavy_f16", "heavy", 3, 5_000, "f16"),
    recipe("heavy_bf16", "heavy", 17, 777, "bf16"),
    recipe("gaussish_f16", "gaussish", 13, 4_096, "f16"),
    recipe("gaussish_bf16", "gaussish", 11, 20_000, "bf16"),
    recipe("gaussish_shifted_f32", "gaussish", 19, 3_000, "f32", offset=0.05),
    recipe(
        "gaussish_outliers_f16", "gaussish", 23, 20_000, "f16",
        planted=[(17, 2.5), (4_242, -1.75), (9_999, 0.5), (19_999, -0.125)],
    ),
    {"name": "small", "generator": "listed", "values": [2, 4, 4, 4, 5, 5, 7, 9], "n": 8, "dtype": "f32"},
]
