"""The agent comes back: checkpoints are read, records rebuilt, executors taken back or cleaned up (G3)."""
