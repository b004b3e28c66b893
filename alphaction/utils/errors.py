"""The errors a user can cause; the tools print their message without a traceback."""


class UserError(ValueError):
    """Something the user gave cannot be used: the message says what, what was expected and what to do."""


class ConfigError(UserError):
    """Configuration keys that cannot run together, or a file of keys that cannot be read."""


class DataError(UserError):
    """A file or a row of a data set cannot be used."""


class CheckpointError(UserError):
    """A weight file or an output folder cannot be used."""


class LocalError(UserError):
    """Something that one process of a run may meet alone, so that it speaks whatever its rank."""
