"""Cut-outs around the targets, and the ledger of every subject in every survey."""
