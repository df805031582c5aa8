"""Where pesos kept its copy of the messages between processes."""
