"""Arrays that the metrics of one evaluation share, and cannot write to."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse


def read_only(value: Any) -> Any:
    """A view of an array, dense or CSR, that cannot be written to; the array itself stays as it is.

    >>> array = np.zeros(2)
    >>> read_only(array).flags.writeable, array.flags.writeable, read_only(None)
    (False, True, None)
    """
    if isinstance(value, np.ndarray):
        if not value.flags.writeable:
            return value
        view = value.view()
        view.flags.writeable = False
        return view
    if issparse(value) and value.format == "csr" and value.data.flags.writeable:
        parts = (read_only(value.data), read_only(value.indices), read_only(value.indptr))
        return csr_array(parts, shape=value.shape, copy=False)
    return value


if TYPE_CHECKING:
    from functools import cached_property as cached_property
else:

    class cached_property(functools.cached_property):
        """A property that is computed once; if it is an array, it cannot be written to."""

        def __get__(self, instance, owner=None):
            value = super().__get__(instance, owner)
            if instance is not None:
                value = instance.__dict__[self.attrname] = read_only(value)
            return value
