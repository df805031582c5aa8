"""The commands people type. Each loads only what it needs: a daemon must not pay for another's imports."""
