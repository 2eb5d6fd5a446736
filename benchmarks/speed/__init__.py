"""Speed and memory of each part."""
