"""Models on this machine: the folder `<node.data_dir>/models`, what is pulled into it, and conversion for vLLM."""
