"""Names -> specs: finds the plugins, loads them one by one, validates their specs.

Read ``loading`` first (entry points in, plugins out), then ``registry`` (references such as
``timm:resnet50[epochs=3]`` in, specs and parameters out).
"""
