"""Where the six points of a simulated vertebra truly lie."""

import numpy as np


def corners_and_middles(body, spacing):
    """Six points on the true outline of a phantom's body, in the order of outline.ORDER."""
    front, middle, back = body.heights

    def place(u, side):
        half = (middle + (back - front) / 2 * u + ((front + back) / 2 - middle) * u**2) / 2
        along, down = u * body.depth / 2, side * half
        cosine, sine = np.cos(body.tilt), np.sin(body.tilt)
        return (body.x + along * cosine - down * sine) / spacing, (body.y + along * sine + down * cosine) / spacing

    return np.array([place(u, side) for side, ends in ((-1, (-0.97, 0, 0.97)), (1, (0.97, 0, -0.97))) for u in ends])
