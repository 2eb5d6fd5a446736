"""Loops over the pixels of a source's components, compiled.

Positions are 0-based array positions ``x y``.  `labels` is the ``(ny, nx)`` int32 array of the component of
each pixel, from 1, with 0 outside; `numbers` are the labels of one source; `own` is the ``(n, 2)`` array of
its pixels; `disc` holds the offsets ``x y`` and squared distances ``(k, 3)`` of the pixels of an ellipse,
nearest first.
"""

import numpy as np

from claran_core.common.compiled import compiled

__all__ = [
    "aperture",
    "correlated_pairs",
    "farther_than",
    "interpolated_peak",
    "is_near_others",
    "largest_extent",
    "near_components",
    "paint",
    "pixels_of",
]


@compiled
def near_components(labels: np.ndarray, disc: np.ndarray) -> np.ndarray:
    """Return which pixels are within the disc's radius of any component; ``(ny, nx)`` bool."""
    ny, nx = labels.shape
    near = np.zeros((ny, nx), np.bool_)
    for y in range(ny):
        for x in range(nx):
            if labels[y, x] == 0:
                continue
            for k in range(len(disc)):
                column, row = x + disc[k, 0], y + disc[k, 1]
                if 0 <= column < nx and 0 <= row < ny:
                    near[row, column] = True
    return near


@compiled
def pixels_of(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the pixels ``x y`` of the components of a source, in array order; ``(n, 2)``."""
    is_own = _members(labels, numbers)
    own = np.empty((labels.size, 2), np.int64)
    n = 0
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if is_own[labels[y, x]]:
                own[n, 0], own[n, 1] = x, y
                n += 1
    return own[:n].copy()


@compiled
def _members(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return whether each label is one of the source; an array from label 0 on."""
    is_own = np.zeros(max(labels.max(), numbers.max()) + 1, np.bool_)
    for number in numbers:
        is_own[number] = True
    return is_own


@compiled
def aperture(
    pixels: np.ndarray, labels: np.ndarray, numbers: np.ndarray, own: np.ndarray, disc: np.ndarray
) -> np.ndarray:
    """Return the pixels over which the flux density of a source is summed.

    These are the valid pixels within the disc's radius of the source that are nearer to it than to any other
    component.

    Returns
    -------
    (n, 3) int64 array
        Position ``x y`` and label of the nearest component.  Among equally near ones it is that of the lowest
        column, then of the lowest row.
    """
    is_own = _members(labels, numbers)
    x0, x1, y0, y1 = _window(labels, own, disc)
    found = np.empty(((y1 - y0) * (x1 - x0), 3), np.int64)
    n = 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            owner = _owner(labels, is_own, x, y, disc)
            if owner > 0 and np.isfinite(pixels[y, x]):
                found[n, 0], found[n, 1], found[n, 2] = x, y, owner
                n += 1
    return found[:n].copy()


@compiled
def _owner(labels: np.ndarray, is_own: np.ndarray, x: int, y: int, disc: np.ndarray) -> int:
    """Return the label of the component nearest to a pixel; 0 if none is near, or another's is as near."""
    owner, squared = 0, 0
    for k in range(len(disc)):
        if owner and disc[k, 2] > squared:
            break
        column, row = x + disc[k, 0], y + disc[k, 1]
        if not (0 <= column < labels.shape[1] and 0 <= row < labels.shape[0]) or labels[row, column] == 0:
            continue
        if not is_own[labels[row, column]]:
            return 0
        if not owner:
            owner, squared = labels[row, column], disc[k, 2]
    return owner


@compiled
def is_near_others(labels: np.ndarray, numbers: np.ndarray, own: np.ndarray, disc: np.ndarray) -> bool:
    """Return whether a component of another source is within the disc's radius of a source."""
    is_own = _members(labels, numbers)
    x0, x1, y0, y1 = _window(labels, own, disc)
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] == 0 or is_own[labels[y, x]]:
                continue
            for k in range(len(disc)):
                column, row = x + disc[k, 0], y + disc[k, 1]
                inside = x0 <= column < x1 and y0 <= row < y1
                if inside and labels[row, column] and is_own[labels[row, column]]:
                    return True
    return False


@compiled
def _window(labels: np.ndarray, own: np.ndarray, disc: np.ndarray) -> tuple[int, int, int, int]:
    """Return columns ``x0 x1`` and rows ``y0 y1`` around the pixels of a source, with the disc of each."""
    across, up = np.abs(disc[:, 0]).max(), np.abs(disc[:, 1]).max()
    x0, x1 = max(0, own[:, 0].min() - across), min(labels.shape[1], own[:, 0].max() + across + 1)
    y0, y1 = max(0, own[:, 1].min() - up), min(labels.shape[0], own[:, 1].max() + up + 1)
    return x0, x1, y0, y1


@compiled
def paint(labels: np.ndarray, places: np.ndarray, label: int) -> int:
    """Give the pixels ``x y`` of `places` (n, 2) that have no label this one; return how many changed."""
    changed = 0
    for place in places:
        x, y = place[0], place[1]
        if 0 <= x < labels.shape[1] and 0 <= y < labels.shape[0] and labels[y, x] == 0:
            labels[y, x] = label
            changed += 1
    return changed


@compiled
def farther_than(points: np.ndarray, from_points: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return which points (n, 2) are farther from each of `from_points` (k, 2) than its reach (k,)."""
    is_far = np.ones(len(points), np.bool_)
    for i in range(len(points)):
        for k in range(len(from_points)):
            x, y = points[i, 0] - from_points[k, 0], points[i, 1] - from_points[k, 1]
            if x * x + y * y <= reach[k] * reach[k]:
                is_far[i] = False
                break
    return is_far


@compiled
def correlated_pairs(
    places: np.ndarray, factors: np.ndarray, weights: np.ndarray, sigma: np.ndarray, form: np.ndarray
) -> float:
    """Return the sum of a correlation over all pairs of pixels, each with itself included.

    Parameters
    ----------
    places : (n, 2) int array
        Pixels ``x y``; one may occur several times.
    factors : (n,) float64 array
        Factor of each pixel; a pair counts with the product of its two.
    weights, sigma : (k,) arrays
        The correlation is a sum of Gaussians of distance: weight and standard deviation (px) of each.
    form : (2, 2) float64 array
        Form of their contours: ``x' form x`` is the square of a distance.  Where its axes are those of the
        pixels, a Gaussian is a product of a function of x and one of y, and rows are summed first.
    """
    if form[0, 1] != 0:
        return _all_pairs(places, factors, weights, sigma, form)
    x, y = places[:, 0] - places[:, 0].min(), places[:, 1] - places[:, 1].min()
    nx, ny = x.max() + 1, y.max() + 1
    apart = np.arange(max(nx, ny))
    total = 0.0
    for k in range(weights.size):
        across = np.exp(-0.5 * form[0, 0] * (apart / sigma[k]) ** 2)
        up = np.exp(-0.5 * form[1, 1] * (apart / sigma[k]) ** 2)
        rows = np.zeros((nx, ny))  # sum over the pixels of each row, seen from each column
        for i in range(x.size):
            for column in range(nx):
                rows[column, y[i]] += factors[i] * across[abs(column - x[i])]
        for i in range(x.size):
            for row in range(ny):
                total += weights[k] * factors[i] * up[abs(row - y[i])] * rows[x[i], row]
    return total


@compiled
def _all_pairs(
    places: np.ndarray, factors: np.ndarray, weights: np.ndarray, sigma: np.ndarray, form: np.ndarray
) -> float:
    """Return `correlated_pairs` for any form, pair by pair."""
    x, y = places[:, 0] - places[:, 0].min(), places[:, 1] - places[:, 1].min()
    nx, ny = x.max() + 1, y.max() + 1
    correlation = np.zeros((ny, 2 * nx - 1))  # at distances of 0 .. ny - 1 rows and 1 - nx .. nx - 1 columns
    for row in range(ny):
        for column in range(1 - nx, nx):
            squared = form[0, 0] * column**2 + 2 * form[0, 1] * column * row + form[1, 1] * row**2
            for k in range(weights.size):
                correlation[row, column + nx - 1] += weights[k] * np.exp(-0.5 * squared / sigma[k] ** 2)
    total = 0.0
    for i in range(x.size):
        total += factors[i] ** 2 * correlation[0, nx - 1]
        for j in range(i):
            right, above = x[i] - x[j], y[i] - y[j]
            if above < 0:
                right, above = -right, -above
            total += 2 * factors[i] * factors[j] * correlation[above, right + nx - 1]
    return total


@compiled
def interpolated_peak(pixels: np.ndarray, x: int, y: int) -> float:
    """Return the height of the Gaussian through the brightest pixel and its neighbours along each axis.

    The brightest pixel alone is up to 4 % below the peak of a point source in FIRST.  Along an axis where a
    neighbour is missing, negative or brighter, nothing is interpolated.
    """
    centre = pixels[y, x]
    gain = 0.0
    for right, up in ((1, 0), (0, 1)):
        before, after = _pixel(pixels, x - right, y - up), _pixel(pixels, x + right, y + up)
        if 0 < before <= centre and 0 < after <= centre and (before < centre or after < centre):
            one, two = np.log(before / centre), np.log(after / centre)
            gain -= (two - one) ** 2 / (8 * (one + two))
    return centre * np.exp(gain)


@compiled
def _pixel(pixels: np.ndarray, x: int, y: int) -> float:
    inside = 0 <= y < pixels.shape[0] and 0 <= x < pixels.shape[1]
    return pixels[y, x] if inside else np.nan


@compiled
def largest_extent(points: np.ndarray) -> tuple[float, float]:
    """Return the largest distance between two points, and its position angle.

    Parameters
    ----------
    points : (n, 2) float64 array
        Offsets to east and north, arcsec; at least one.

    Returns
    -------
    extent : float
        Largest distance, arcsec.
    angle : float
        Position angle from north through east, deg, in [0, 180).
    """
    largest, one, other = 0.0, 0, 0
    for i in range(len(points)):
        for j in range(i + 1, len(points)):
            squared = (points[i, 0] - points[j, 0]) ** 2 + (points[i, 1] - points[j, 1]) ** 2
            if squared > largest:
                largest, one, other = squared, i, j
    east, north = points[one, 0] - points[other, 0], points[one, 1] - points[other, 1]
    return np.sqrt(largest), np.rad2deg(np.arctan2(east, north)) % 180.0
