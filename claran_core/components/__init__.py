"""Radio components by the contour rule of Radio Galaxy Zoo DR1."""
