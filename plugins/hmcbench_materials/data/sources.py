"""Where the original files lie, and by which checksum they are known."""

from __future__ import annotations

from hmcbench.data.sources import Source

_XIONG = "https://raw.githubusercontent.com/George-JieXIONG/Materials-Dataset/9bb0c22b9b567ab167435f71e7145c359b366c1f"

SOURCES = {
    "nims-steel": Source(
        _XIONG,
        "Chapter4/NIMS-Fatigue.csv",
        "457c974d74d07d4ef664a5f91233284f0941dd02af1ac7d06f1dd0fde1fc1249",
        32470,
        "NIMS-Fatigue.csv",
    ),
    "metallic-glass": Source(
        _XIONG,
        "Chapter5/GFA.csv",
        "716a79985f341106e23e80a3fc9d14bdaf623432502210ecdb147075f5d11f30",
        119997,
        "GFA.csv",
    ),
    "hea-phases": Source(
        _XIONG,
        "Chapter6/Formed%20Phases.csv",
        "e6c775fb136c2ba6218a4bbb574dcef7bc4235bbb2d858f9f99ec66a59d50a8c",
        19684,
        "Formed Phases.csv",
    ),
    "hea-hardness": Source(
        _XIONG,
        "Chapter6/Hardness.csv",
        "8b77fc1dbbc7b2b6ceadc3bedd6f95f4eca3342e01e679784048f3b3cc907057",
        5994,
        "Hardness.csv",
    ),
}
"""Dataset -> its original file, at one commit of the repository that published it."""
