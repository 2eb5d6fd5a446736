"""Surveys, and where their images come from."""
