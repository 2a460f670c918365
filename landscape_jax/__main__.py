"""The command line: `landscape-jax`, and `python -m landscape_jax`."""

from landscape_jax.interrupts import run


def main() -> None:
    """Run the command that the arguments name."""
    run(_command)


def _command() -> None:
    from landscape_jax.cli import app

    app()


if __name__ == "__main__":
    main()
