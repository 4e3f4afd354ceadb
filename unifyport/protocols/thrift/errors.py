"""What can be wrong with bytes, and with a value that is to be written."""


class ThriftError(Exception):
    """Base of all errors of this package."""


class Malformed(ThriftError):
    """The bytes are no message or structure of this encoding, or are cut short."""


class TooLarge(Malformed):
    """The bytes go beyond the `Limits` of the reader: depth, number of items, length of a string."""


class NotEncodable(ThriftError):
    """A value does not fit its declared type: an integer out of range, text that has no UTF-8 form."""
