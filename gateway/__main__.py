"""`python -m gateway` and the command `stethos`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
