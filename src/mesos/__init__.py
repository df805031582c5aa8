"""The classic import paths of Mesos' Python bindings, as thin re-exports of Messor's drivers."""
