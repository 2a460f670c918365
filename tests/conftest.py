"""The strict setting all tests run in: float64, no silent promotion, types checked at run time."""

import jax
import jaxtyping

jax.config.update("jax_enable_x64", True)
jaxtyping.install_import_hook("landscape_jax", "beartype.beartype").__enter__()
