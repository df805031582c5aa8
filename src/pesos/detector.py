"""Where pesos kept its detectors."""

from messor.drivers.detection import MasterDetector, StandaloneMasterDetector

__all__ = ["MasterDetector", "StandaloneMasterDetector"]
