"""What existing clients speak beside orders: requests, what is told unasked, control. See ``integration``."""
