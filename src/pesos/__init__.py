"""The import paths of pesos, the pure Python binding, on Messor's drivers."""
