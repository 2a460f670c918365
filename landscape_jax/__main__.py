"""The command line: `landscape-jax`, and `python -m landscape_jax`."""

from landscape_jax.interrupts import run


def main() -> None:
    """Run the command that the arguments name."""
    run(_command)


def _command() -> None:
    import warnings

    from landscape_jax.cli import app

    # In a line, without the place in the code.
    warnings.formatwarning = lambda message, *_, **__: f"landscape-jax: {message}\n"
    app()


if __name__ == "__main__":
    main()
