"""alphaction: detect what every person in a video is doing."""

__version__ = "0.1.0"
