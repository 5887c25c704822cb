"""What the worker of RQ runs: its functions are found by the name of their module."""


def multiply(one, other):
    return one * other


def give_up():
    raise ValueError("on purpose")
