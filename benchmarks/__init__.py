"""Measurements that take long; their results are in docs/."""
