"""The simulated sky beside the real one."""
