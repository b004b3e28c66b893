"""Videos made ready for training: movies cut to one-second clips, whole videos re-encoded for random reading."""
