"""How the agent finds its master, registers with it and stays in touch."""
