"""Comparison of the simulated sky with the real one."""
