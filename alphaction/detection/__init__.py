"""Person boxes: from detectors, from files, and joined over time to tracks."""
