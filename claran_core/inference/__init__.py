"""Detection of sources in the fused images of a shard."""
