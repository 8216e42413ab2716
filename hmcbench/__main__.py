"""``python -m hmcbench``: the command line, where its script is not on the path."""

from hmcbench.cli import main

if __name__ == "__main__":
    main()
