"""Where requests enter the agent over HTTP: decoded, checked, handed to the one component that handles them."""
