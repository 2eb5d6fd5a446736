"""Training of a detector, in one process or in several on several machines."""
