"""What the agent has to offer and what of it is used."""
