"""The wiring: what connects sources, links, devices and files to the commands."""
