"""Run the command line as `python -m specgan_cli`."""

from specgan_cli.cli.main import main

if __name__ == "__main__":
    main()
