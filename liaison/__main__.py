"""``python -m liaison``."""

from liaison.cli.main import main

if __name__ == "__main__":
    main()
